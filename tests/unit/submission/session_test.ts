import assert from "node:assert/strict";
import { Session, type SessionContext } from "../../../src/submission/session.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { nextTurn } from "../../../src/transport/next_turn.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";
import { MemoryStream } from "../upstream/memory_stream.ts";

Deno.test("Session lets others have their turn while its client pipelines without end", async () => {
  using deadlines = new Deadlines({ tickMs: 3_600_000 });
  // Neither relay nor authenticator have a part in NOOP.
  const context = {
    listener: { security: "none" },
    settings: { hostname: "mail.example", commandTimeoutMs: 60_000, maxBadCommands: 100 },
    deadlines,
    log: recordingLog().log,
    now: () => 0,
  } as unknown as SessionContext;
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
