/** Reload, and drain and stop: each asked back first, the drain shown as it happens. */

import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { ReloadOutcome } from "../../lifecycle/reload.ts";
import { problemBody } from "../request_problem.ts";
import { detailsOf } from "../request_problem.ts";
import type { DaemonStatus } from "../admin_context.ts";
import { pause } from "./event_stream.ts";
import { formatCount, formatMs, formatTime } from "./format_measures.ts";
import { ActionForm, Notice, Page, respond } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import { ProblemNotice, problemOf } from "./problem_page.tsx";
import { growingPlace, streamPage } from "./streamed_page.ts";

/** How often the drain is looked at. */
const lookMs = 100;

/** The routes that do what signals do. */
export function lifecycleRoutes({ context, sessions, closing }: PageServices): Hono<PageEnv> {
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
  app.get("/stop", signedIn, async (c) => {
    const { sessions: open, messages } = await context.status();
    return await respond(
      c,
      <Page title="Drain and stop" session={c.get("session")}>
        <p>
          The daemon stops: new connections are refused at once, and messages under way end first. Now there
          are {formatCount(open, "session")} and {formatCount(messages, "message")}{" "}
          under way. Whatever started the daemon can start it again; this page can't.
        </p>
        <ActionForm session={c.get("session")} action="/stop" button="Drain and stop" kind="danger" />
        <p>
          <a href="/">Back</a>
        </p>
      </Page>,
    );
  });
  app.post("/stop", signedIn, (c) => {
    const page = (
      <Page title="Draining">
        <ol class="steps" aria-live="polite">{growingPlace}</ol>
      </Page>
    );
    const failure = async (error: Error) => (
      <li>
        <ProblemNotice problem={await problemOf(error, { c, log: context.log })} />
      </li>
    );
    return streamPage(c, { page, failure }, async (grow, left) => {
      const line = async (text: string) => {
        const atMs = context.now();
        await grow(
          <li>
            <time datetime={new Date(atMs).toISOString()}>{formatTime(atMs, atMs)}</time> {text}
          </li>,
        );
      };
      const isFirst = context.requestStop("the page");
      await line(isFirst ? "The drain has begun" : "The drain was under way already");
      await followDrain(line, left);
    });
  });
  return app;

  /** The admin side closes last: until then there is something to tell. */
  async function followDrain(line: (text: string) => Promise<void>, left: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([closing, left]);
    let told: string[] = [];
    for (;;) {
      const isOver = closing.aborted;
      const now = drainLines(await context.status());
      for (const text of now) {
        if (!told.includes(text)) await line(text);
      }
      told = now;
      if (isOver) return await line("All is done; the process ends now");
      await pause(lookMs, signal);
      if (left.aborted) return;
    }
  }
}

function drainLines({ listeners, sessions, messages, accounts }: DaemonStatus): string[] {
  const connections = accounts.reduce((sum, { pool }) => sum + (pool?.open ?? 0), 0);
  return [
    listeners.length === 0 ? "Listeners are closed" : `${formatCount(listeners.length, "listener")} open`,
    sessions === 0 ? "No session is open" : `${formatCount(sessions, "session")} open`,
    messages === 0 ? "No message is under way" : `${formatCount(messages, "message")} under way`,
    connections === 0
      ? "No provider connection is open"
      : `${formatCount(connections, "provider connection")} open`,
  ];
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
