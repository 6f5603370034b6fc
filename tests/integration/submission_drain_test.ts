/** A stop, as sessions see it: idle ones end at once, a body under way runs to its final reply, nobody can hold it up. */

import assert from "node:assert/strict";
import type { Daemon } from "../../src/daemon/daemon.ts";
import { type DrainContext, drainSteps } from "../../src/daemon/drain_steps.ts";
import { drain as runDrain } from "../../src/lifecycle/drain.ts";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";
import { recordingLog } from "../unit/lifecycle/recording_log.ts";

async function startBody(client: SmtpTestClient): Promise<void> {
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "250 *");
  await client.command("DATA", "354 *");
  await client.write("half a mess");
}

async function drain(proxy: TestProxy): Promise<void> {
  await proxy.submission.close();
  await proxy.submission.drain();
  assert.equal(proxy.submission.sessions, 0);
}

Deno.test("SubmissionServer ends idle sessions with 421 4.3.2, wherever they stand", async () => {
  await using proxy = await startProxy();
  using greeted = await proxy.connect();
  await greeted.expect("220 *");
  using signedIn = await proxy.signIn();
  using inAuth = await proxy.connect();
  await inAuth.expect("220 *");
  await inAuth.command("EHLO x", "250 *");
  await inAuth.command("AUTH LOGIN", "334 *");
  using inTransaction = await proxy.signIn();
  await inTransaction.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  const port = proxy.port();
  await drain(proxy);
  for (const client of [greeted, signedIn, inAuth, inTransaction]) {
    await client.expect("421 4.3.2 *");
    await client.expectEnd();
  }
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }), Deno.errors.ConnectionRefused);
});

Deno.test("SubmissionServer lets a body under way run to its final reply, then says 421", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  await startBody(client);
  await proxy.upstream.waitFor(() => proxy.upstream.passages("body") > 0, "the body");
  const drained = drain(proxy);
  assert.equal(proxy.submission.messages, 1);
  await client.write("age\r\n.\r\n");
  await client.expect("250 2.0.0 OK 1-1");
  await client.expect("421 4.3.2 *");
  await client.expectEnd();
  await drained;
});

Deno.test("SubmissionServer ends a session that waits for the provider or the pool", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  using blocking = await proxy.signIn();
  proxy.upstream.once("RCPT", "hang");
  await blocking.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await blocking.writeln("RCPT TO:<a@example.net>");
  using waiting = await proxy.signIn();
  await waiting.writeln(`MAIL FROM:<${ACCOUNT}>`);
  await proxy.upstream.waitFor(() => proxy.upstream.passages("RCPT") === 1, "RCPT");
  await waiting.writeln("NOOP");
  await drain(proxy);
  for (const client of [blocking, waiting]) {
    await client.expect(/^(451|421) 4\./);
  }
});

Deno.test("SubmissionServer cuts a body at the deadline: 421 for the client, no final dot for the provider", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  await startBody(client);
  await proxy.upstream.waitFor(() => proxy.upstream.passages("body") > 0, "the body");
  const drained = drain(proxy);
  const cut = proxy.submission.cut({ sparingFinalReplies: true });
  assert.deepEqual(cut.map(({ account, at }) => ({ account, at })), [{ account: ACCOUNT, at: "mail data" }]);
  await drained;
  await client.expect("421 4.3.2 *");
  await proxy.upstream.waitFor(() => !proxy.upstream.connections[0]!.open, "the connection's end");
  assert.equal(proxy.upstream.messages.length, 0);
});

Deno.test("SubmissionServer spares a message that waits for its final reply until the very end", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const gate = Promise.withResolvers<void>();
  proxy.upstream.once("finalDot", { until: gate.promise });
  await startBody(client);
  await client.write("\r\n.\r\n");
  await proxy.upstream.waitFor(() => proxy.upstream.passages("finalDot") === 1, "the final dot");
  const drained = drain(proxy);
  assert.deepEqual(proxy.submission.cut({ sparingFinalReplies: true }), []);
  gate.resolve();
  await client.expect("250 2.0.0 OK 1-1");
  await client.expect("421 4.3.2 *");
  await drained;
});

Deno.test("SubmissionServer gives up a message that waits for its final reply last, and says it may arrive twice", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("finalDot", "hang");
  await startBody(client);
  await client.write("\r\n.\r\n");
  await proxy.upstream.waitFor(() => proxy.upstream.passages("finalDot") === 1, "the final dot");
  const drained = drain(proxy);
  assert.deepEqual(proxy.submission.cut({ sparingFinalReplies: false }).map(({ at }) => at), ["final reply"]);
  await drained;
  await client.expect("421 4.3.2 *");
  assert.equal(proxy.transactions[0]?.outcomeUnknown, true);
});

for (const security of ["none", "tls"] as const) {
  Deno.test(`A drain tells a client that its message is given up, on a listener with ${security}`, async () => {
    await using proxy = await startProxy({ listeners: [{ security }] });
    const tls = { caCertificate: proxy.upstream.caCertificate };
    using client = await proxy.signIn(security === "tls" ? { tls } : {});
    proxy.upstream.once("finalDot", "hang");
    await startBody(client);
    await client.write("\r\n.\r\n");
    await proxy.upstream.waitFor(() => proxy.upstream.passages("finalDot") === 1, "the final dot");
    const { submission } = proxy;
    const rest = { transactions: { [Symbol.dispose]() {} }, metrics: { drainStepEnded() {} } };
    const steps = drainSteps({ submission, ...rest } as unknown as Daemon, {} as DrainContext).slice(0, 2);
    const { log } = recordingLog();
    const kill = new AbortController().signal;
    const { cut } = await runDrain(steps, { deadlineMs: 700, kill, log, now: () => performance.now() });
    assert.match(cut.join(), /in final reply/);
    await client.expect("421 4.3.2 *");
    await client.expectEnd();
  });
}

for (const security of ["starttls", "tls"] as const) {
  Deno.test(`SubmissionServer is not held up by a client that owes its TLS handshake, on a listener with ${security}`, async () => {
    await using proxy = await startProxy({ listeners: [{ security }] });
    using client = await proxy.connect();
    if (security === "starttls") {
      await client.expect("220 *");
      await client.command("EHLO x", "250 *");
      await client.command("STARTTLS", "220 *");
    }
    using other = await proxy.connect();
    if (security === "starttls") await other.expect("220 *");
    await drain(proxy);
    await client.expectEnd();
  });
}

Deno.test("SubmissionServer is not held up by sign-ins under way, and says 421 to them", async () => {
  const [hash, hashing] = [Promise.withResolvers<boolean>(), Promise.withResolvers<void>()];
  const verifyPassword = () => {
    hashing.resolve();
    return hash.promise;
  };
  await using proxy = await startProxy({ authenticator: { verifyPassword } });
  const clients = await Promise.all(Array.from({ length: 5 }, () => proxy.connect()));
  for (const [index, client] of clients.entries()) {
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.writeln(`AUTH PLAIN ${btoa(`\0${ACCOUNT}\0guess ${index}`)}`);
  }
  await hashing.promise;
  await drain(proxy);
  for (const client of clients) {
    await client.expect("421 4.3.2 *");
    await client.expectEnd();
    client[Symbol.dispose]();
  }
  hash.resolve(false);
});

Deno.test("SubmissionServer is not held up by a client that takes no replies", async () => {
  await using proxy = await startProxy();
  using client = await proxy.connect({ deadlineMs: 1000 });
  await client.expect("220 *");
  await assert.rejects(client.write("EHLO x\r\n".repeat(4_000_000)), /no room to write/);
  using stuck = await proxy.connect({ deadlineMs: 20_000 });
  await stuck.expect("220 *");
  const writing = stuck.write("EHLO x\r\n".repeat(4_000_000)).then(() => "taken", () => "refused");
  await drain(proxy);
  assert.equal(await writing, "refused");
});

Deno.test("SubmissionServer drains 200 sessions at once", async () => {
  await using proxy = await startProxy();
  const clients = await Promise.all(Array.from({ length: 200 }, () => proxy.signIn()));
  try {
    await drain(proxy);
    for (const client of clients) await client.expect("421 4.3.2 *");
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

Deno.test("SubmissionServer begins no message that still waits for a connection", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  using sending = await proxy.signIn();
  await startBody(sending);
  await proxy.upstream.waitFor(() => proxy.upstream.passages("body") > 0, "the body");
  using waiting = await proxy.signIn();
  await waiting.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`);
  while (proxy.pool().state.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const drained = drain(proxy);
  await waiting.expect("451 4.3.2 *");
  await waiting.expect("451 4.3.2 *");
  await waiting.expect("451 4.3.2 *");
  await waiting.expect("421 4.3.2 *");
  await sending.write("age\r\n.\r\n");
  await sending.expect("250 *");
  await drained;
  assert.equal(proxy.upstream.messages.length, 1);
});

Deno.test("SubmissionServer doesn't wait for a message whose first octet has not come", async () => {
  await using proxy = await startProxy();
  using told = await proxy.signIn();
  await told.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await told.command("RCPT TO:<a@example.net>", "250 *");
  await told.command("DATA", "354 *");
  proxy.upstream.once("DATA", "hang");
  using waiting = await proxy.signIn();
  await waiting.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`);
  await proxy.upstream.waitFor(() => proxy.upstream.passages("DATA") === 2, "DATA");
  await drain(proxy);
  await told.expect("421 4.3.2 *");
  await told.expectEnd();
  for (const _ of ["MAIL", "RCPT", "DATA"]) await waiting.expect("451 4.3.2 *");
  await waiting.expect("421 4.3.2 *");
  assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), ["deferred", "deferred"]);
});

Deno.test("SubmissionServer doesn't wait for a provider that a message would be replayed to", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  using client = await proxy.signIn();
  await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "first" });
  proxy.upstream.once("MAIL", "close", { connection: 1 });
  proxy.upstream.always("greeting", "hang");
  await client.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`);
  await proxy.upstream.waitFor(() => proxy.upstream.passages("greeting") === 2, "the second greeting");
  await drain(proxy);
  for (const _ of ["MAIL", "RCPT", "DATA"]) await client.expect("451 4.3.2 *");
  await client.expect("421 4.3.2 *");
});
