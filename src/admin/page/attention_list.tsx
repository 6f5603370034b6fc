import type { FC } from "hono/jsx";
import type { AccountCondition, Attention } from "./attention.ts";
import { formatCount } from "./format_measures.ts";

/** How conditions are called. */
export const conditionNames: Readonly<Record<AccountCondition, string>> = {
  blocked: "needs sign-in",
  unconnected: "not connected",
  failing: "no token",
  slowed: "slowed down",
  limit: "limit reached",
  untried: "not used yet",
  fine: "fine",
};

/** A condition as a word with a mark; the colour says nothing that the word doesn't. */
export const ConditionBadge: FC<{ condition: AccountCondition }> = ({ condition }) => (
  <span class={`badge ${condition}`}>{conditionNames[condition]}</span>
);

/** Where an account's page is. */
export function accountPath(email: string, ...parts: readonly string[]): string {
  return ["/accounts", ...[email, ...parts].map(encodeURIComponent)].join("/");
}

/** Accounts that need somebody, each with cause and remedy. */
export const AttentionList: FC<{ all: readonly Attention[]; most: number }> = ({ all, most }) => {
  if (all.length === 0) return null;
  return (
    <section class="attention">
      <h2>{formatCount(all.length, "account")} to look at</h2>
      <ul>
        {all.slice(0, most).map((attention) => <AttentionItem key={attention.email} {...attention} />)}
      </ul>
      {all.length > most && (
        <p>
          <a href="/accounts?show=attention">All {all.length} of them</a>
        </p>
      )}
    </section>
  );
};

const AttentionItem: FC<Attention> = ({ email, condition, cause, remedy }) => (
  <li>
    <p class="who">
      <a href={accountPath(email)}>{email}</a> <ConditionBadge condition={condition} />
    </p>
    <Reason cause={cause} remedy={remedy} />
  </li>
);

/** Cause and remedy. */
export const Reason: FC<{ cause: string; remedy: string }> = ({ cause, remedy }) => (
  <dl class="reason">
    <dt>Cause</dt>
    <dd>{cause}</dd>
    <dt>Remedy</dt>
    <dd>{remedy}</dd>
  </dl>
);
