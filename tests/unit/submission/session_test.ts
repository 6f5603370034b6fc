import assert from "node:assert/strict";
import { Session, type SessionContext } from "../../../src/submission/session.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { nextTurn } from "../../../src/waiting/next_turn.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";
import { MemoryStream } from "../upstream/memory_stream.ts";

/** What sessions of these tests share; they don't come as far as to need the rest. */
function contextOf(deadlines: Deadlines, more: Record<string, unknown> = {}): SessionContext {
  return {
    listener: { security: "none" },
    settings: { hostname: "mail.example", commandTimeoutMs: 60_000, maxBadCommands: 100 },
    deadlines,
    log: recordingLog().log,
    now: () => 0,
    ...more,
  } as unknown as SessionContext;
}

Deno.test("Session that is stopped while a command comes in doesn't begin with it", async () => {
  using deadlines = new Deadlines({ tickMs: 3_600_000 });
  const begun: string[] = [];
  const context = contextOf(deadlines, {
    listener: { security: "none", account: "a@example.com" },
    relay: {
      offer: () => ({ extensions: new Set() }),
      mailbox: (account: string) => void begun.push(account),
    },
  });
  const client = new MemoryStream(() => undefined);
  const session = new Session(client, "0001", context);
  const running = session.run();
  client.push("EHLO client.example\r\n");
  await nextTurn();
  assert.equal(session.state.at, "ready");
  client.push("MAIL FROM:<a@example.com>\r\n");
  session.stop();
  await running;
  assert.deepEqual([begun, session.signal.aborted], [[], true]);
  assert.match(client.writes.at(-1)!, /^421 4\.3\.2 /);
});

Deno.test("Session lets others have their turn while its client pipelines without end", async () => {
  using deadlines = new Deadlines({ tickMs: 3_600_000 });
  const context = contextOf(deadlines);
  const client = new MemoryStream(() => undefined);
  client.push(`${"NOOP\r\n".repeat(10_000)}QUIT\r\n`);
  const running = new Session(client, "0001", context).run();
  await nextTurn();
  const answered = client.writes.join("").split("\r\n").length;
  assert.ok(answered < 1000, `${answered} commands were answered in one go`);
  await running;
  assert.equal(
    client.writes.join(""),
    `220 mail.example ESMTP xoauth2-proxy\r\n${"250 2.0.0 OK\r\n".repeat(10_000)}221 2.0.0 Bye\r\n`,
  );
});
