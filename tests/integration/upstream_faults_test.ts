/**
 * Every fault at every phase: what the client reads, at which command, and that the next message goes through in the same
 * session, on a pool that has lost nothing.
 */

import assert from "node:assert/strict";
import type { DialPhase } from "../../src/upstream/upstream_error.ts";
import { createTestCertificates, type TestCertificates } from "../support/certificates.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";
import type { Action, Phase } from "../support/upstream_script.ts";

/** What the provider does wrong. */
type Fault = "refused" | "untrusted" | "wrongHost" | "expired" | Action;

interface Row {
  readonly at: Phase;
  readonly fault: Fault;
  readonly name: string;
  /** The command that reads it, and what. */
  readonly reads: readonly [command: "MAIL" | "RCPT" | "DATA" | "message", reply: RegExp];
}

const SILENT_MS = 250;
const SHORT: Readonly<Record<DialPhase, number>> = {
  connect: SILENT_MS,
  tls: SILENT_MS,
  greeting: SILENT_MS,
  ehlo: SILENT_MS,
  starttls: SILENT_MS,
  auth: SILENT_MS,
};

const UNREACHABLE = /^451 4\.4\.1 /;
const LOST = /^451 4\.4\.2 /;
const SLOWED = /^451 4\.7\.1 /;
const REFUSED_SIGN_IN = /^454 4\.7\.0 /;
const GARBAGE = { octets: "HTTP/1.1 400 Bad Request\r\n\r\n" };

/** Faults of the connection itself; a provider's word is expected at `at`. */
function breaks(at: Phase, reads: Row["reads"]): Row[] {
  return [
    { at, name: "hang", fault: "hang", reads },
    { at, name: "reset", fault: "reset", reads },
    { at, name: "close", fault: "close", reads },
    { at, name: "garbage", fault: GARBAGE, reads },
    { at, name: "half a reply", fault: { octets: "250-half", then: "close" }, reads },
  ];
}

function says(at: Phase, reply: string, reads: Row["reads"]): Row {
  return { at, name: reply.slice(0, 9), fault: { reply }, reads };
}

/** A phase before sign-in, where every refusal is the proxy's to translate. */
function dialRows(at: Phase): Row[] {
  return [
    ...breaks(at, ["MAIL", UNREACHABLE]),
    says(at, "421 4.3.2 Service not available", ["MAIL", SLOWED]),
    says(at, "450 4.3.0 Try again", ["MAIL", UNREACHABLE]),
    says(at, "554 5.3.0 No service", ["MAIL", UNREACHABLE]),
  ];
}

function signInRows(at: "AUTH" | "authResponse"): Row[] {
  return [
    ...breaks(at, ["MAIL", UNREACHABLE]),
    says(at, "421 4.7.0 Try again later", ["MAIL", SLOWED]),
    says(at, "432 4.3.2 Concurrent connections limit exceeded", ["MAIL", SLOWED]),
    says(at, "454 4.7.0 Temporary authentication failure", ["MAIL", SLOWED]),
    says(at, "535 5.7.3 Authentication unsuccessful", ["MAIL", REFUSED_SIGN_IN]),
    says(at, "535 5.7.139 SmtpClientAuthentication is disabled", ["MAIL", REFUSED_SIGN_IN]),
  ];
}

/** A phase of the transaction, where the provider's refusals are the client's. */
function transactionRows(at: "MAIL" | "RCPT" | "DATA" | "finalDot"): Row[] {
  const command = at === "finalDot" ? "message" : at;
  const closing = at === "finalDot" ? /^451 4\.3\.2 Closing/ : LOST;
  return [
    ...breaks(at, [command, LOST]),
    says(at, "421 4.3.2 Closing", [command, closing]),
    says(at, "450 4.3.0 Try again", [command, /^450 4\.3\.0 Try again$/]),
    says(at, "451 4.7.0 Temporary server error. PRX5", [
      command,
      /^451 4\.7\.0 Temporary server error\. PRX5$/,
    ]),
    says(at, "550 5.7.60 Not your address", [command, /^550 5\.7\.60 Not your address$/]),
  ];
}

const ROWS: readonly Row[] = [
  { at: "connect", name: "refused", fault: "refused", reads: ["MAIL", UNREACHABLE] },
  ...breaks("connect", ["MAIL", UNREACHABLE]),
  ...breaks("tls", ["MAIL", UNREACHABLE]).filter(({ name }) => name !== "half a reply"),
  { at: "tls", name: "bad certificate", fault: "untrusted", reads: ["MAIL", /^451 4\.4\.1 .*ca_file/] },
  { at: "tls", name: "wrong host name", fault: "wrongHost", reads: ["MAIL", /^451 4\.4\.1 .*another host/] },
  { at: "tls", name: "expired certificate", fault: "expired", reads: ["MAIL", /^451 4\.4\.1 .*expired/] },
  ...dialRows("greeting"),
  ...dialRows("EHLO"),
  ...dialRows("STARTTLS"),
  ...signInRows("AUTH"),
  ...signInRows("authResponse"),
  ...transactionRows("MAIL"),
  ...transactionRows("RCPT"),
  ...transactionRows("DATA"),
  { at: "body", name: "reset", fault: "reset", reads: ["message", LOST] },
  { at: "body", name: "close", fault: "close", reads: ["message", LOST] },
  { at: "body", name: "hang", fault: "hang", reads: ["message", LOST] },
  { at: "body", name: "garbage", fault: { ...GARBAGE, then: "close" }, reads: ["message", LOST] },
  {
    at: "body",
    name: "552",
    fault: { reply: "552 5.3.4 Too big", then: "close" },
    reads: ["message", /^552 5\.3\.4 Too big$/],
  },
  ...transactionRows("finalDot"),
];

const certificates = await createTestCertificates();

for (const row of ROWS) {
  Deno.test(`Proxy answers ${row.reads[0]} after ${row.name} at ${row.at}, and loses nothing`, async () => {
    await using proxy = await startFaultyProxy(certificates);
    using client = await proxy.signIn();
    commit(row, proxy);
    const [command, reply] = await sendMessage(client);
    assert.equal(command, row.reads[0], reply);
    assert.match(reply, row.reads[1]);
    await repair(proxy);
    assert.deepEqual(await sendMessage(client), ["message", "250 2.0.0 OK"]);
    assertNothingLost(proxy);
  });
}

const QUIT_FAULTS: readonly [name: string, fault: Action][] = [
  ["hang", "hang"],
  ["reset", "reset"],
  ["close", "close"],
  ["garbage", GARBAGE],
  ["421", { reply: "421 4.3.2 Closing" }],
  ["500", { reply: "500 5.5.1 What?" }],
];
for (const [name, fault] of QUIT_FAULTS) {
  Deno.test(`Proxy survives ${name} at QUIT, unseen by the client`, async () => {
    await using proxy = await startFaultyProxy(certificates);
    using client = await proxy.signIn();
    proxy.upstream.always("QUIT", fault);
    await sendMessage(client);
    proxy.pools.replace(proxy.addMailbox({ email: proxy.pool().mailbox.email }));
    assert.deepEqual(await sendMessage(client), ["message", "250 2.0.0 OK"]);
    await proxy.upstream.waitFor(
      () => proxy.upstream.openConnections <= 1,
      "the end of the first connection",
    );
    assert.deepEqual(proxy.upstream.connections.map(({ quit }) => quit), [true, false]);
  });
}

/** A proxy whose upstream's every silence is short. */
function startFaultyProxy(trusted: TestCertificates): Promise<TestProxy> {
  return startProxy({
    upstream: { certificates: trusted },
    phaseTimeoutsMs: SHORT,
    replyTimeouts: {
      commandMs: SILENT_MS,
      dataMs: SILENT_MS,
      dataBlockMs: SILENT_MS,
      finalReplyMs: SILENT_MS,
    },
  });
}

function commit({ at, fault }: Row, { upstream }: TestProxy): void {
  if (fault === "refused") upstream.refuseConnections();
  else if (fault === "untrusted" || fault === "wrongHost" || fault === "expired") {
    upstream.certificate = upstream.certificates[fault];
  } else upstream.always(at, fault);
}

async function repair({ upstream }: TestProxy): Promise<void> {
  upstream.script.clear();
  upstream.certificate = upstream.certificates.leaf;
  upstream.refuseConnections();
  await upstream.acceptConnections();
}

/** Sends one message, one command at a time. @returns the last command that was sent, and its reply. */
async function sendMessage(client: SmtpTestClient): Promise<[command: string, reply: string]> {
  const steps = [
    ["MAIL", "MAIL FROM:<sender@example.com>", "250"],
    ["RCPT", "RCPT TO:<recipient@example.com>", "250"],
    ["DATA", "DATA", "354"],
    ["message", "Subject: test\r\n\r\nHello\r\n.", "250"],
  ] as const;
  for (const [command, line, code] of steps) {
    await client.writeln(line);
    const reply = (await client.readReply()).at(-1)!;
    if (!reply.startsWith(code)) {
      // What is left of a transaction whose recipient was refused.
      if (command === "RCPT") await client.command("RSET", "250 *");
      return [command, reply];
    }
    if (command === "message") return [command, reply.replace(/OK .*/, "OK")];
  }
  throw new Error("unreachable");
}

function assertNothingLost(proxy: TestProxy): void {
  const { open, idle, dialing, waiting, transactions } = proxy.pool().state;
  assert.deepEqual({ open, idle, dialing, waiting, transactions }, {
    open: 1,
    idle: 1,
    dialing: 0,
    waiting: 0,
    transactions: 0,
  });
  assert.equal(proxy.upstream.messages.length, 1);
}
