/** Drain and stop: asked back first, and shown as it happens. */

import { type Context, Hono } from "hono";
import type { DaemonStatus } from "../admin_context.ts";
import { pause } from "./event_stream.ts";
import { formatCount, formatTime } from "./format_measures.ts";
import { ActionForm, Page, respond } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import type { PageSession } from "./page_sessions.ts";
import { ProblemNotice, problemOf } from "./problem_page.tsx";
import { type Grow, growingPlace, streamPage } from "./streamed_page.ts";

/** How often the drain is looked at. */
const lookMs = 100;

/** The routes that stop the daemon. */
export function stopRoutes(
  { context, sessions, closing }: Pick<PageServices, "context" | "sessions" | "closing">,
): Hono<PageEnv> {
  const signedIn = requireSession(sessions);
  const app = new Hono<PageEnv>();
  app.get(
    "/stop",
    signedIn,
    async (c) => await respond(c, question(await context.status(), c.get("session"))),
  );
  app.post(
    "/stop",
    signedIn,
    (c) =>
      streamPage(c, { page: draining, failure: (error) => failureLine(error, c) }, async (grow, left) => {
        const isFirst = context.requestStop("the page");
        await line(grow, isFirst ? "The drain has begun" : "The drain was under way already");
        await followDrain(grow, left);
      }),
  );
  return app;

  /** The admin side closes last: until then there is something to tell. */
  async function followDrain(grow: Grow, left: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([closing, left]);
    let told: string[] = [];
    for (;;) {
      const isOver = closing.aborted;
      const now = drainLines(await context.status());
      for (const text of now) {
        if (!told.includes(text)) await line(grow, text);
      }
      told = now;
      if (isOver) return await line(grow, "All is done; the process ends now");
      await pause(lookMs, signal);
      if (left.aborted) return;
    }
  }

  async function line(grow: Grow, text: string): Promise<void> {
    const atMs = context.now();
    await grow(
      <li>
        <time datetime={new Date(atMs).toISOString()}>{formatTime(atMs, atMs)}</time> {text}
      </li>,
    );
  }

  async function failureLine(error: Error, c: Context) {
    return (
      <li>
        <ProblemNotice problem={await problemOf(error, { c, log: context.log })} />
      </li>
    );
  }
}

function question({ sessions, messages }: DaemonStatus, session: PageSession) {
  return (
    <Page title="Drain and stop" session={session}>
      <p>
        The daemon stops: new connections are refused at once, and messages under way end first. Now there are
        {" "}
        {formatCount(sessions, "session")} and {formatCount(messages, "message")}{" "}
        under way. Whatever started the daemon can start it again; this page can't.
      </p>
      <ActionForm session={session} action="/stop" button="Drain and stop" kind="danger" />
      <p>
        <a href="/">Back</a>
      </p>
    </Page>
  );
}

const draining = (
  <Page title="Draining">
    <ol class="steps" aria-live="polite">{growingPlace}</ol>
  </Page>
);

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
