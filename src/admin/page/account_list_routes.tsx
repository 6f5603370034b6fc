import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { AccountStatus } from "../admin_context.ts";
import { type AccountCondition, conditionOf, isInNeed } from "./attention.ts";
import { accountPath, ConditionBadge } from "./attention_list.tsx";
import { formatCount, formatNumber } from "./format_measures.ts";
import { Page, respond } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";

/** An account as a line. */
interface Line {
  readonly status: AccountStatus;
  readonly condition: AccountCondition;
}

/** What is looked for. */
interface Search {
  readonly text: string;
  readonly show: "all" | "attention";
  readonly page: number;
}

const linesPerPage = 100;

/** The list of accounts, with a search that needs no script. */
export function accountListRoutes({ context, sessions }: PageServices): Hono<PageEnv> {
  const app = new Hono<PageEnv>();
  app.get("/accounts", requireSession(sessions), async (c) => {
    const search: Search = {
      text: (c.req.query("q") ?? "").trim(),
      show: c.req.query("show") === "attention" ? "attention" : "all",
      page: Math.max(1, Math.floor(Number(c.req.query("page"))) || 1),
    };
    const { accounts } = await context.status();
    const lines = accounts.map((status) => ({
      status,
      condition: conditionOf(status, context.accounts.get(status.email)),
    }));
    const found = lines.filter((line) => fits(line, search));
    return await respond(
      c,
      <Page title="Accounts" current="accounts" session={c.get("session")}>
        <SearchForm search={search} />
        <Found lines={found} total={lines.length} search={search} />
      </Page>,
    );
  });
  return app;
}

function fits({ status, condition }: Line, { text, show }: Search): boolean {
  if (show === "attention" && !isInNeed(condition)) return false;
  const wanted = text.toLowerCase();
  return status.email.toLowerCase().includes(wanted) || status.provider.toLowerCase().includes(wanted);
}

const SearchForm: FC<{ search: Search }> = ({ search: { text, show } }) => (
  <div class="toolbar">
    <form method="get" action="/accounts" role="search">
      <label>
        Search <input name="q" type="search" value={text} placeholder="address or provider" />
      </label>
      <label>
        Show{" "}
        <select name="show">
          <option value="all" selected={show === "all"}>all</option>
          <option value="attention" selected={show === "attention"}>to look at</option>
        </select>
      </label>
      <button type="submit">Search</button>
    </form>
    <a class="button main" href="/accounts/new">Add an account</a>
  </div>
);

const Found: FC<{ lines: readonly Line[]; total: number; search: Search }> = ({ lines, total, search }) => {
  if (total === 0) return <p class="muted">There are no accounts yet.</p>;
  const pages = Math.max(1, Math.ceil(lines.length / linesPerPage));
  const page = Math.min(search.page, pages);
  const shown = lines.slice((page - 1) * linesPerPage, page * linesPerPage);
  return (
    <>
      <p class="muted">
        {lines.length === total
          ? formatCount(total, "account")
          : `${formatNumber(lines.length)} of ${formatCount(total, "account")}`}
        {pages > 1 && `, page ${page} of ${pages}`}
      </p>
      {shown.length > 0 && <Lines lines={shown} />}
      {pages > 1 && <Pager search={{ ...search, page }} pages={pages} />}
    </>
  );
};

const Lines: FC<{ lines: readonly Line[] }> = ({ lines }) => (
  <table class="wide">
    <thead>
      <tr>
        <th scope="col">Account</th>
        <th scope="col">State</th>
        <th scope="col">Provider</th>
        <th scope="col" class="number">Connections</th>
        <th scope="col" class="number">Recipients left today</th>
      </tr>
    </thead>
    <tbody>
      {lines.map(({ status: { email, provider, pool, rates }, condition }) => (
        <tr>
          <td data-label="Account">
            <a href={accountPath(email)}>{email}</a>
          </td>
          <td data-label="State">
            <ConditionBadge condition={condition} />
          </td>
          <td data-label="Provider">{provider}</td>
          <td data-label="Connections" class="number">
            {pool ? `${pool.open} of ${pool.limit}` : "–"}
          </td>
          <td data-label="Recipients left today" class="number">
            {rates.recipientsToday === undefined ? "–" : formatNumber(rates.recipientsToday)}
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

const Pager: FC<{ search: Search; pages: number }> = ({ search: { text, show, page }, pages }) => {
  const link = (target: number) =>
    `/accounts?${new URLSearchParams({ q: text, show, page: String(target) })}`;
  return (
    <nav class="pager" aria-label="Pages of the list">
      {page > 1 && <a class="button" href={link(page - 1)}>Previous</a>}
      {page < pages && <a class="button" href={link(page + 1)}>Next</a>}
    </nav>
  );
};
