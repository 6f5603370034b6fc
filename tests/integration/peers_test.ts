/** Mail servers that nobody here wrote, on either side of the daemon: 1,000 messages each, all accounted for. */

import assert from "node:assert/strict";
import { MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { startDovecot } from "./peers_dovecot.ts";
import { type Postfix, run, startPostfix } from "./peers_postfix.ts";

const MESSAGES = 1000;
const SINK = {
  security: "none",
  requiresAuth: false,
  extensions: ["PIPELINING", "8BITMIME", "SIZE 50000000"],
} as const;

function whyNot(...programs: readonly string[]): string | undefined {
  if (Deno.build.os !== "linux") return "Linux only";
  if (Deno.uid() !== 0) return "needs root";
  const missing = programs.filter((program) => !isThere(program));
  return missing.length === 0 ? undefined : `${missing.join(", ")} not installed`;
}

function isThere(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v "$0"`, program], stdout: "null" }).outputSync()
    .success;
}

function test(name: string, programs: readonly string[], fn: () => Promise<void>): void {
  const reason = whyNot(...programs);
  Deno.test({ name: reason === undefined ? name : `${name}: ${reason}`, ignore: reason !== undefined, fn });
}

/** Sends messages that differ in their subject line from 50 sessions at once. */
async function smtpSource(port: number, { keepsConnections }: { keepsConnections: boolean }): Promise<void> {
  await run(
    "smtp-source",
    ...[
      "-s",
      "50",
      "-m",
      String(MESSAGES),
      "-l",
      "4096",
      "-N",
      "-f",
      MAILBOX.email,
      "-t",
      "someone@example.net",
    ],
    ...(keepsConnections ? ["-d"] : []),
    ...["-S", "load", `inet:127.0.0.1:${port}`],
  );
}

/** smtp-source numbers its recipients with -N, so that each message is another. */
function assertAllArrived({ messages }: ScriptedUpstream): void {
  const recipients = new Set(messages.flatMap(({ forwardPaths }) => forwardPaths));
  assert.equal(messages.length, MESSAGES, "messages at the provider");
  assert.equal(recipients.size, MESSAGES, "each once");
}

for (const keepsConnections of [true, false]) {
  const how = keepsConnections ? "over connections that it keeps" : "with a connection for each message";
  test(`smtp-source sends 1,000 messages in 50 sessions ${how}`, ["smtp-source"], async () => {
    await using fixture = await startDaemonFixture({
      listeners: [{ account: MAILBOX.email, allowed_clients: ["127.0.0.1/32"] }],
    });
    await smtpSource(fixture.listener().port, { keepsConnections });
    assertAllArrived(fixture.upstream);
    assert.ok(fixture.upstream.highestOpenConnectionsOf(MAILBOX.email) <= 10);
    assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
  });
}

async function untilDelivered(postfix: Postfix, { messages }: ScriptedUpstream): Promise<void> {
  for (let look = 0; look < 300 && messages.length < MESSAGES; look++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (messages.length >= MESSAGES) return;
  const log = (await postfix.log()).split("\n").filter((line) => /status=(?!sent)|warning|fatal/.test(line));
  throw new Error(
    `${messages.length} of ${MESSAGES} messages arrived; Postfix says:\n${log.slice(0, 10).join("\n")}`,
  );
}

/** Deliveries in Postfix's log, which comes after them. @returns how many there are when all are, or time is up. */
async function sentLines(postfix: Postfix): Promise<number> {
  let lines = 0;
  for (let look = 0; look < 100 && lines < MESSAGES; look++) {
    lines = (await postfix.log()).match(/status=sent \(250 2\.0\.0 OK /g)?.length ?? 0;
    if (lines < MESSAGES) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return lines;
}

test(
  "Postfix relays 1,000 messages through the daemon with AUTH and STARTTLS",
  ["postfix", "smtp-source"],
  async () => {
    await using fixture = await startDaemonFixture({ listeners: [{ security: "starttls" }] });
    await using postfix = await startPostfix({ relay: fixture.listener(), caFile: fixture.caFile });
    await smtpSource(postfix.port, { keepsConnections: true });
    await untilDelivered(postfix, fixture.upstream);
    assertAllArrived(fixture.upstream);
    assert.equal(await sentLines(postfix), MESSAGES, "the provider's replies in its log");
    assert.deepEqual(await postfix.queue(), []);
  },
);

test(
  "Dovecot checks XOAUTH2 itself and takes 1,000 messages from the daemon",
  ["dovecot", "smtp-source"],
  async () => {
    await using sink = await ScriptedUpstream.start(SINK);
    await using files = await startDaemonFixture();
    const [certificateFile, privateKeyFile] = ["certificate.pem", "key.pem"].map((name) =>
      files.caFile.replace("ca.pem", name)
    );
    const refused = new Set<string>();
    await using dovecot = await startDovecot({
      sink: sink.endpoint,
      certificateFile: certificateFile!,
      privateKeyFile: privateKeyFile!,
      isActive: (token) => /^token-\d+$/.test(token) && !refused.has(token),
    });
    await using fixture = await startDaemonFixture({
      upstream: { certificates: files.upstream.certificates },
      smtpEndpoint: dovecot.endpoint,
      listeners: [{ account: MAILBOX.email, allowed_clients: ["127.0.0.1/32"] }],
    });
    refused.add("token-1");
    await smtpSource(fixture.listener().port, { keepsConnections: true });
    assertAllArrived(sink);
    assert.deepEqual(
      [...new Set(dovecot.introspected)],
      ["token-1", "token-2"],
      "the refused token was replaced",
    );
  },
);
