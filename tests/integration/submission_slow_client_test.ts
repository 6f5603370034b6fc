/** A slow client gives its connection back while others wait for it; a slow provider is not the client's fault. */

import assert from "node:assert/strict";
import { ACCOUNT, type ProxyOptions, startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";

const ONE_CONNECTION: ProxyOptions = {
  provider: { limits: { connections: 1 }, pool: { waitTimeoutMs: 9000 } },
};

/** A proxy whose sessions read the time from a clock that `advance` moves, 1 s at a time, with a look at all deadlines. */
async function startWithClock(options: ProxyOptions = ONE_CONNECTION) {
  let nowMs = 0;
  const proxy = await startProxy({
    ...options,
    now: () => nowMs,
    deadlinesNow: () => nowMs,
    submission: { commandTimeoutMs: 1e9, dataTimeoutMs: 1e9 },
    replyTimeouts: { commandMs: 1e9, dataMs: 1e9, dataBlockMs: 1e9, finalReplyMs: 1e9 },
  });
  const advance = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      nowMs += 1000;
      proxy.deadlines.sweep();
    }
  };
  return { proxy, advance };
}

async function startTransaction(proxy: TestProxy, upTo: "MAIL" | "DATA"): Promise<SmtpTestClient> {
  const client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  if (upTo === "MAIL") return client;
  await client.command("RCPT TO:<a@example.net>", "250 *");
  await client.command("DATA", "354 *");
  return client;
}

/** Another client asks for the account's only connection, and reads its `250` when it gets it. */
async function startWaiter(proxy: TestProxy): Promise<SmtpTestClient> {
  const waiter = await proxy.signIn();
  await waiter.write(`MAIL FROM:<${ACCOUNT}>\r\n`);
  while (!proxy.pool().hasWaiters) await new Promise((resolve) => setTimeout(resolve, 1));
  return waiter;
}

for (const upTo of ["MAIL", "DATA"] as const) {
  Deno.test(`Silent client gives its connection back 30 s after ${upTo}, while another waits`, async () => {
    const { proxy, advance } = await startWithClock();
    await using _proxy = proxy;
    using silent = await startTransaction(proxy, upTo);
    using waiter = await startWaiter(proxy);
    advance(29);
    assert.ok(proxy.pool().hasWaiters);
    advance(2);
    await silent.expect("421 4.4.2 *");
    await silent.expectEnd();
    await waiter.expect("250 *");
    assert.equal(proxy.upstream.messages.length, 0);
  });
}

Deno.test("Silent client keeps its connection while nobody waits for it", async () => {
  const { proxy, advance } = await startWithClock();
  await using _proxy = proxy;
  using silent = await startTransaction(proxy, "DATA");
  advance(3600);
  await silent.write("x\r\n.\r\n");
  await silent.expect("250 *");
});

Deno.test("Crawling client gives its connection back after a minute, while another waits", async () => {
  const { proxy, advance } = await startWithClock();
  await using _proxy = proxy;
  using crawling = await startTransaction(proxy, "DATA");
  using waiter = await startWaiter(proxy);
  for (let part = 0; part < 6; part++) {
    const before = proxy.upstream.passages("body");
    await crawling.write("a few octets\r\n");
    await proxy.upstream.waitFor(() => proxy.upstream.passages("body") > before, "the octets");
    advance(11);
  }
  await crawling.expect("421 4.4.2 *");
  await waiter.expect("250 *");
});

Deno.test("Client that names many recipients, one a second, keeps its connection", async () => {
  const { proxy, advance } = await startWithClock();
  await using _proxy = proxy;
  using steady = await startTransaction(proxy, "MAIL");
  using waiter = await startWaiter(proxy);
  for (let recipient = 0; recipient < 200; recipient++) {
    await steady.command(`RCPT TO:<a${recipient}@example.net>`, "250 *");
    advance(1);
  }
  await steady.command("DATA", "354 *");
  await steady.write(".\r\n");
  await steady.expect("250 *");
  await waiter.expect("250 *");
});

Deno.test("Client that sends 1 KiB a second keeps its connection", async () => {
  const { proxy, advance } = await startWithClock();
  await using _proxy = proxy;
  using steady = await startTransaction(proxy, "DATA");
  using waiter = await startWaiter(proxy);
  for (let part = 0; part < 13; part++) {
    const before = proxy.upstream.messages.length + proxy.upstream.passages("body");
    await steady.write(("x".repeat(1022) + "\r\n").repeat(11));
    await proxy.upstream.waitFor(() => proxy.upstream.passages("body") > before, "the octets");
    advance(10);
  }
  await steady.write(".\r\n");
  await steady.expect("250 *");
  await waiter.expect("250 *");
});

Deno.test("Client is not blamed for a provider that is slow to answer", async () => {
  const { proxy, advance } = await startWithClock();
  await using _proxy = proxy;
  using client = await startTransaction(proxy, "MAIL");
  using waiter = await startWaiter(proxy);
  const gate = Promise.withResolvers<void>();
  proxy.upstream.once("RCPT", { until: gate.promise });
  await client.writeln("RCPT TO:<a@example.net>");
  await proxy.upstream.waitFor(() => proxy.upstream.passages("RCPT") === 1, "RCPT");
  advance(600);
  gate.resolve();
  await client.expect("250 *");
  await client.command("RSET", "250 *");
  await waiter.expect("250 *");
});

Deno.test("Client is not blamed for a provider that takes the message slowly", async () => {
  // node's TLS sockets read on when they are paused, so that only a plain upstream is slow.
  const { proxy, advance } = await startWithClock({ ...ONE_CONNECTION, upstream: { security: "none" } });
  await using _proxy = proxy;
  using client = await startTransaction(proxy, "DATA");
  using waiter = await startWaiter(proxy);
  const gate = Promise.withResolvers<void>();
  proxy.upstream.once("body", { until: gate.promise }, { afterOctets: 1 });
  const sending = client.write(("x".repeat(998) + "\r\n").repeat(20_000));
  await proxy.upstream.waitFor(() => proxy.upstream.passages("body") > 0, "the body");
  // The buffers on the way fill up before the clock moves on.
  await new Promise((resolve) => setTimeout(resolve, 300));
  advance(600);
  gate.resolve();
  await sending;
  await client.write(".\r\n");
  await client.expect("250 *");
  await waiter.expect("250 *");
});
