/** Pools on real sockets: how connections end, how accounts are kept back, and what clients and operators get to know. */

import assert from "node:assert/strict";
import type { PoolSettings } from "../../src/config/settings.ts";
import { nextTurn } from "../../src/waiting/next_turn.ts";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";

const never = new AbortController().signal;
const message = { from: ACCOUNT, to: ["recipient@example.com"], data: "Subject: test\r\n\r\n" };

/** The pool with so many warm connections. */
async function startWarm(count: number, options: Parameters<typeof startProxy>[0] = {}): Promise<TestProxy> {
  const proxy = await startProxy({ ...options, provider: { limits: { connections: count } } });
  assert.equal(await proxy.pool().prewarm(count, never), count);
  return proxy;
}

/** Begins a transaction that is refused. @returns its reply. */
async function refusedMail(client: SmtpTestClient): Promise<string> {
  await client.writeln(`MAIL FROM:<${ACCOUNT}>`);
  const [reply] = await client.readReply();
  assert.doesNotMatch(reply!, /^2/);
  return reply!;
}

Deno.test("UpstreamPools.close says QUIT on 1,000 connections", async () => {
  await using proxy = await startWarm(1000, { upstream: { security: "none" } });
  assert.equal(await proxy.pools.close(), 1000);
  await proxy.upstream.waitFor(() => proxy.upstream.openConnections === 0, "the end of all connections");
  assert.ok(proxy.upstream.connections.every(({ quit }) => quit));
});

Deno.test("UpstreamPools.close leaves 1,000 connections that don't answer QUIT", async () => {
  await using proxy = await startWarm(1000, { upstream: { security: "none" } });
  proxy.upstream.always("QUIT", "hang");
  assert.equal(await proxy.pools.close(), 1000);
  await proxy.upstream.waitFor(() => proxy.upstream.openConnections === 0, "the end of all connections");
});

for (const security of ["none", "tls"] as const) {
  for (const how of ["close", "reset", "421"] as const) {
    Deno.test(`MailboxPool closes idle connections that end by ${how} (${security}), and clients don't see it`, async () => {
      await using proxy = await startWarm(3, { upstream: { security } });
      await proxy.upstream.waitFor(
        () => proxy.upstream.endIdleConnections(how) === 3,
        "three idle connections",
      );
      await proxy.upstream.waitFor(() => proxy.upstream.openConnections === 0, "the end of the connections");
      using client = await proxy.signIn();
      assert.match(await client.send(message), /^250 /);
      assert.deepEqual([proxy.pool().state.open, proxy.upstream.connections.length], [1, 4]);
    });
  }
}

Deno.test("MailboxPool replaces a warmed-up connection that breaks at its first command", async () => {
  await using proxy = await startWarm(1);
  proxy.upstream.once("MAIL", "reset");
  using client = await proxy.signIn();
  assert.match(await client.send(message), /^250 /);
  assert.deepEqual([proxy.upstream.connections.length, proxy.pool().state.open], [2, 1]);
});

Deno.test("MailboxPool.replace moves on to new connections behind the transaction in hand", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  proxy.pools.replace(proxy.addMailbox({ email: ACCOUNT, saslUser: "shared@example.com" }));
  await client.command("RCPT TO:<a@example.com>", "250 *");
  await client.command("DATA", "354 *");
  await client.command("Subject: test\r\n.", "250 *");
  assert.match(await client.send(message), /^250 /);
  const { connections } = proxy.upstream;
  assert.deepEqual(
    connections.map(({ mailbox, quit, transactions }) => [mailbox, quit, transactions.length]),
    [
      [ACCOUNT, true, 1],
      ["shared@example.com", false, 1],
    ],
  );
});

Deno.test("UpstreamPools.remove lets the transaction in hand end, and its connection with it", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  proxy.pools.remove(ACCOUNT);
  await client.command("RCPT TO:<a@example.com>", "250 *");
  await client.command("DATA", "354 *");
  await client.command("Subject: test\r\n.", "250 *");
  await proxy.upstream.waitFor(() => proxy.upstream.openConnections === 0, "the end of the connection");
  assert.equal(proxy.upstream.connections[0]?.quit, true);
});

Deno.test("Account whose sign-in is refused waits, and the log has the challenge but not the token", async () => {
  await using proxy = await startProxy({
    upstream: { accepts: () => false },
    provider: {
      retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 60_000, jitter: false },
      pool: { waitTimeoutMs: 100 },
    },
  });
  using client = await proxy.signIn();
  assert.match(await refusedMail(client), /^454 4\.7\.0 The provider refused the sign-in: 535 5\.7\.8/);
  assert.match(await refusedMail(client), /^451 4\.7\.1 The provider asked to slow down: .* next try in 1 s/);
  assert.equal(proxy.upstream.connections.length, 2);
  assert.deepEqual(proxy.tokens().invalidated, ["token-1"]);
  assert.equal(proxy.pool().state.backoff?.failures, 1);
  const [{ properties }] = proxy.logged as [typeof proxy.logged[0]];
  assert.deepEqual([properties.challengeStatus, properties.cause], ["400", "sign-in-refused"]);
  assert.ok(!JSON.stringify(proxy.logged).includes("token-"));
});

Deno.test("Account goes on after new credentials without waiting any longer", async () => {
  await using proxy = await startProxy({
    upstream: { accepts: (user) => user === "shared@example.com" },
    provider: { retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 60_000, jitter: false } },
  });
  using client = await proxy.signIn();
  assert.match(await refusedMail(client), /^454 4\.7\.0 /);
  proxy.pools.replace(proxy.addMailbox({ email: ACCOUNT, saslUser: "shared@example.com" }));
  assert.match(await client.send(message), /^250 /);
});

Deno.test("Account that is throttled inside a transaction waits, and then sends again", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("MAIL", { reply: "432 4.3.2 Concurrent connections limit exceeded." });
  assert.equal(await refusedMail(client), "432 4.3.2 Concurrent connections limit exceeded.");
  assert.match(proxy.logMessages()[0]!, /sender@example\.com waits .* \(throttled\): 432 4\.3\.2/);
  assert.match(await client.send(message), /^250 /);
});

Deno.test("A connection that has had enough is replaced, and clients don't see it", async () => {
  for (
    const reply of [
      "452 4.5.3 Too many messages on this connection",
      "554 5.7.0 Too many messages in this session",
      "500 5.5.1 too many errors",
    ]
  ) {
    await using proxy = await startProxy();
    using client = await proxy.signIn();
    assert.match(await client.send(message), /^250 /);
    proxy.upstream.once("MAIL", { reply });
    assert.match(await client.send(message), /^250 /, reply);
    assert.equal(proxy.upstream.connections.length, 2);
  }
});

Deno.test("Account waits after a refusal inside a message as after one at its end", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("body", { reply: "550 5.4.5 Daily user sending limit exceeded" });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.com>", "250 *");
  await client.command("DATA", "354 *");
  await client.write("begun\r\n");
  await proxy.upstream.waitFor(() => proxy.upstream.passages("body") === 1, "the body");
  await client.write("x\r\n".repeat(1000));
  await client.write(".\r\n");
  await client.expect("550 5.4.5 Daily user sending limit exceeded");
  assert.match(proxy.logMessages()[0]!, /waits .* \(daily-limit\)/);
  assert.match(await refusedMail(client), /^451 4\.7\.1 /);
});

Deno.test("Client reads how long to wait when the minute's messages are used up", async () => {
  await using proxy = await startProxy({ provider: { limits: { messagesPerMinute: 2 } } });
  using client = await proxy.signIn();
  for (const _ of [1, 2]) assert.match(await client.send(message), /^250 /);
  assert.match(
    await refusedMail(client),
    /^451 4\.7\.1 .*rate limit of 2 messages a minute reached; next in \d+ s/,
  );
  assert.equal(proxy.upstream.messages.length, 2);
});

Deno.test("Messages that don't begin use up nothing of the minute's", async () => {
  await using proxy = await startProxy({ provider: { limits: { messagesPerMinute: 1 } } });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RSET", "250 *");
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("EHLO client.example", "250 *");
  proxy.upstream.once("MAIL", { reply: "550 5.1.0 No" });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "550 *");
  proxy.upstream.once("DATA", { reply: "451 4.3.0 Not now" });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.com>", "250 *");
  await client.command("DATA", "451 *");
  assert.match(await client.send(message), /^250 /);
  assert.match(await refusedMail(client), /^451 4\.7\.1 .*rate limit of 1 messages a minute/);
});

Deno.test("A message that gets no connection, at first or for its replay, is taken back from the minute once", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1, messagesPerMinute: 3 } } });
  using client = await proxy.signIn();
  assert.match(await client.send(message), /^250 /);
  proxy.upstream.once("MAIL", "reset", { connection: 1 });
  proxy.upstream.always("greeting", { reply: "554 5.3.0 No" });
  for (const _ of ["replay", "dial"]) assert.match(await refusedMail(client), /^451 4\.4\.1 /);
  assert.deepEqual(await proxy.pool().rates.remaining(), { messagesThisMinute: 2 });
});

Deno.test("Recipients that the provider refuses leave their room in the day to others", async () => {
  await using proxy = await startProxy({ provider: { limits: { recipientsPerDay: 2 } } });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  for (const _ of [1, 2, 3]) {
    proxy.upstream.once("RCPT", { reply: "550 5.1.1 No such user" });
    await client.command("RCPT TO:<a@example.com>", "550 *");
  }
  await client.command("RCPT TO:<b@example.com>", "250 *");
});

Deno.test("Client reads 451 for recipients beyond the day's", async () => {
  await using proxy = await startProxy({ provider: { limits: { recipientsPerDay: 2 } } });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  for (const name of ["a", "b"]) await client.command(`RCPT TO:<${name}@example.com>`, "250 *");
  await client.command("RCPT TO:<c@example.com>", /^451 4\.7\.1 .*limit of 2 recipients a day/);
  await client.command("DATA", "354 *");
  await client.command("Subject: test\r\n.", "250 *");
  assert.deepEqual(proxy.upstream.messages[0]?.forwardPaths, ["a@example.com", "b@example.com"]);
});

Deno.test("Recipients of messages that are under way side by side count for the day together", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 2, recipientsPerDay: 3 } } });
  const clients = await Promise.all([proxy.signIn(), proxy.signIn()]);
  for (const client of clients) {
    await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
    await client.command("RCPT TO:<a@example.com>", "250 *");
  }
  const [first, second] = clients;
  await first!.command("RCPT TO:<b@example.com>", "250 *");
  await second!.command("RCPT TO:<b@example.com>", /^451 4\.7\.1 .*limit of 3 recipients a day/);
  await first!.command("RSET", "250 *");
  await second!.command("RCPT TO:<b@example.com>", "250 *");
  for (const client of clients) client[Symbol.dispose]();
});

/** Somebody else's transaction holds the only connection, and a client has sent MAIL and RCPT that wait for it. */
async function startQueue(options: Partial<PoolSettings> = {}) {
  const proxy = await startProxy({ provider: { limits: { connections: 1 }, pool: options } });
  const holder = await proxy.signIn();
  await holder.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  const client = await proxy.signIn();
  await client.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\n`);
  while (proxy.pool().state.waiting === 0) await nextTurn();
  return { proxy, holder, client };
}

for (const farewell of ["", "QUIT\r\n"]) {
  Deno.test(`Client that leaves while it waits for a connection leaves its place in the queue, after "${farewell.trim()}"`, async () => {
    const { proxy, holder, client } = await startQueue({ waitTimeoutMs: 60_000 });
    await using _proxy = proxy;
    using _holder = holder;
    await client.write(farewell);
    client[Symbol.dispose]();
    await proxy.waitFor(() => proxy.submission.sessions === 1, "the end of its session");
    assert.deepEqual([proxy.pool().state.waiting, proxy.pool().state.transactions], [0, 1]);
    assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), ["abandoned"]);
  });
}

Deno.test("Client that has said all, and ended its side, still reads the provider's replies", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const dialing = Promise.withResolvers<void>();
  proxy.upstream.once("greeting", { until: dialing.promise });
  await client.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nQUIT\r\n`);
  await client.closeWrite();
  await proxy.upstream.waitFor(() => proxy.upstream.passages("greeting") > 0, "the dial");
  dialing.resolve();
  for (const pattern of ["250 2.1.0 *", "250 2.1.5 *", "221 *"]) await client.expect(pattern);
});

Deno.test("Client that says more while it waits for a connection is served when its turn comes", async () => {
  const { proxy, holder, client } = await startQueue();
  await using _proxy = proxy;
  using _client = client;
  await client.write("DATA\r\n");
  await holder.command("QUIT", "221 *");
  holder[Symbol.dispose]();
  for (const pattern of ["250 2.1.0 *", "250 2.1.5 *", "354 *"]) await client.expect(pattern);
  await client.write(`${"x".repeat(5000)}\r\n.\r\n`);
  await client.expect("250 *");
  assert.equal(proxy.upstream.messages[0]!.bodyOctets, 5005);
});

Deno.test("Client that waited for a connection sends its message when it is told to", async () => {
  const { proxy, holder, client } = await startQueue();
  await using _proxy = proxy;
  using _client = client;
  await holder.command("QUIT", "221 *");
  holder[Symbol.dispose]();
  for (const pattern of ["250 2.1.0 *", "250 2.1.5 *"]) await client.expect(pattern);
  await client.command("DATA", "354 *");
  await client.write(`${"x".repeat(5000)}\r\n.\r\n`);
  await client.expect("250 *");
  assert.equal(proxy.upstream.messages[0]!.bodyOctets, 5005);
});

Deno.test("Session that ends while it waits for a connection leaves its place in the queue", async () => {
  await using proxy = await startProxy({
    provider: { limits: { connections: 1 }, pool: { waitTimeoutMs: 60_000 } },
  });
  using first = await proxy.signIn();
  await first.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  using second = await proxy.signIn();
  await second.writeln(`MAIL FROM:<${ACCOUNT}>`);
  const drained = proxy.submission.drain();
  await second.expect("421 4.3.2 *");
  await first.expect("421 4.3.2 *");
  await drained;
  assert.deepEqual([proxy.pool().state.waiting, proxy.pool().state.transactions], [0, 0]);
});
