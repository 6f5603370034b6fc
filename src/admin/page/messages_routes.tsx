import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { AdminContext } from "../admin_context.ts";
import { accountPath } from "./attention_list.tsx";
import { streamSections } from "./event_stream.ts";
import { formatMs, formatOctets, formatTime } from "./format_measures.ts";
import { LiveSection, markupText, Page, respond } from "./layout.tsx";
import { findSession, requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";

type EndedTransaction = ReturnType<AdminContext["recentTransactions"]>[number];

/** The last messages, their metadata only. */
export function messagesRoutes({ context, sessions, closing }: PageServices): Hono<PageEnv> {
  const app = new Hono<PageEnv>();
  app.get("/messages", requireSession(sessions), async (c) => {
    const account = c.req.query("account") ?? "";
    const events = `/messages/events${account === "" ? "" : `?account=${encodeURIComponent(account)}`}`;
    return await respond(
      c,
      <Page title="Messages" current="messages" session={c.get("session")} events={events}>
        {account !== "" && (
          <p>
            Only <a href={accountPath(account)}>{account}</a>. <a href="/messages">Show all</a>
          </p>
        )}
        <LiveSection id="messages" content={await markupText(lines(account))} />
      </Page>,
    );
  });
  app.get("/messages/events", requireSession(sessions), (c) => {
    const account = c.req.query("account") ?? "";
    return streamSections(c, {
      sections: () => Promise.resolve({ messages: lines(account) }),
      closing,
      isWelcome: () => findSession(sessions, c) !== undefined,
      intervalMs: 2000,
    });
  });
  return app;

  function lines(account: string) {
    const wanted = account.toLowerCase();
    const recent = context.recentTransactions()
      .filter((record) => wanted === "" || record.account.toLowerCase() === wanted);
    return <Messages recent={recent} nowMs={context.now()} />;
  }
}

const Messages: FC<{ recent: readonly EndedTransaction[]; nowMs: number }> = ({ recent, nowMs }) => {
  if (recent.length === 0) return <p class="muted">No message has come through since the start.</p>;
  return (
    <table class="wide">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Account</th>
          <th scope="col">Outcome</th>
          <th scope="col" class="number">Size</th>
          <th scope="col" class="number">Recipients</th>
          <th scope="col" class="number">Duration</th>
          <th scope="col">Upstream reply</th>
        </tr>
      </thead>
      <tbody>
        {recent.map((record) => <MessageRow key={record.session} record={record} nowMs={nowMs} />)}
      </tbody>
    </table>
  );
};

const MessageRow: FC<{ record: EndedTransaction; nowMs: number }> = ({ record, nowMs }) => {
  const { account, outcome, messageOctets, recipients, refusedRecipients, durationMs, reply } = record;
  const at = new Date(record.endedAtMs).toISOString();
  return (
    <tr>
      <td data-label="Time">
        <time datetime={at}>{formatTime(record.endedAtMs, nowMs)}</time>
      </td>
      <td data-label="Account">
        <a href={accountPath(account)}>{account}</a>
      </td>
      <td data-label="Outcome">
        <span class={`badge ${outcome}`}>{outcome}</span>
        {record.outcomeUnknown && " fate unknown: it may arrive twice"}
      </td>
      <td data-label="Size" class="number">{formatOctets(messageOctets)}</td>
      <td data-label="Recipients" class="number">
        {recipients}
        {refusedRecipients > 0 && ` (${refusedRecipients} refused)`}
      </td>
      <td data-label="Duration" class="number">{formatMs(durationMs)}</td>
      <td data-label="Reply" class="reply">{reply ? reply.text() : "none"}</td>
    </tr>
  );
};
