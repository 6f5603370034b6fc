import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { ReloadOutcome } from "../../lifecycle/reload.ts";
import { detailsOf, problemBody } from "../request_problem.ts";
import { formatMs } from "./format_measures.ts";
import { ActionForm, Notice, Page, respond } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import { ProblemNotice } from "./problem_page.tsx";

/** Reload, asked back first. */
export function reloadRoutes(
  { context, sessions }: Pick<PageServices, "context" | "sessions">,
): Hono<PageEnv> {
  const signedIn = requireSession(sessions);
  const app = new Hono<PageEnv>();
  app.get("/reload", signedIn, async (c) =>
    await respond(
      c,
      <Page title="Reload" session={c.get("session")}>
        <p>Reads settings, accounts and certificates again. Sessions go on; with a fault, nothing changes.</p>
        <ActionForm session={c.get("session")} action="/reload" button="Reload" kind="main" />
        <p>
          <a href="/">Back</a>
        </p>
      </Page>,
    ));
  app.post("/reload", signedIn, async (c) => {
    const outcome = await context.reload("the page");
    const page = (
      <Page title="Reload" session={c.get("session")}>
        <ReloadResult outcome={outcome} />
        <p>
          <a href="/">Back to the overview</a>
        </p>
      </Page>
    );
    return await respond(c, page, outcome.applied ? 200 : 422);
  });
  return app;
}

const ReloadResult: FC<{ outcome: ReloadOutcome }> = ({ outcome }) => {
  if (!outcome.applied) {
    const details = detailsOf(outcome.findings, { withFile: true });
    const problem = { status: 422 as const, ...problemBody("Reload refused, running on unchanged", details) };
    return <ProblemNotice problem={problem} />;
  }
  const parts = Object.entries(outcome.difference);
  return (
    <Notice kind="good" title={`Reloaded in ${formatMs(outcome.ms)}`}>
      {parts.length === 0 ? <p>Nothing has changed.</p> : (
        <dl class="facts">
          {parts.map(([part, difference]) => (
            <>
              <dt>{part}</dt>
              <dd>
                <code>{JSON.stringify(difference)}</code>
              </dd>
            </>
          ))}
        </dl>
      )}
    </Notice>
  );
};
