/** Many sessions on few connections: the provider never has a reason to throttle, and nobody is served out of turn. */

import assert from "node:assert/strict";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";

const SESSIONS = 50;
const MESSAGES = 2_000;

/** Sends all messages over all sessions; each client sees 250 for each of its own. */
async function sendAll(proxy: TestProxy): Promise<void> {
  const clients = await Promise.all(
    Array.from({ length: SESSIONS }, () => proxy.signIn({ deadlineMs: 60_000 })),
  );
  try {
    await Promise.all(clients.map(async (client, session) => {
      for (let number = 0; number < MESSAGES / SESSIONS; number++) {
        await client.dialog`
          C: MAIL FROM:<${session}.${number}@example.com>
          S: 250 *
          C: RCPT TO:<recipient@example.com>
          S: 250 *
          C: DATA
          S: 354 *
          C: Subject: ${number}
          C: .
          S: 250 *
        `;
      }
    }));
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

function assertUnthrottled(proxy: TestProxy): void {
  const { upstream, transactions } = proxy;
  assert.equal(new Set(upstream.messages.map(({ reversePath }) => reversePath)).size, MESSAGES);
  assert.deepEqual(new Set(transactions.map(({ outcome }) => outcome)), new Set(["relayed"]));
  assert.equal(upstream.highestOpenConnectionsOf(ACCOUNT), 3);
  assert.equal(proxy.pool().state.waiting, 0);
}

for (const at of ["AUTH", "MAIL"] as const) {
  Deno.test(`Proxy sends 2,000 messages of 50 sessions over three connections (limit at ${at})`, async () => {
    await using proxy = await startProxy({
      upstream: { keepBodies: false, connectionLimit: { perMailbox: 3, at } },
      provider: {
        limits: { connections: 3 },
        pool: { maxMessagesPerConnection: 10_000, waitTimeoutMs: 60_000 },
      },
    });
    await sendAll(proxy);
    assertUnthrottled(proxy);
    assert.equal(proxy.upstream.connections.length, 3);
  });
}

Deno.test("Proxy retires connections by their messages and still never has a fourth", async () => {
  await using proxy = await startProxy({
    upstream: { keepBodies: false, connectionLimit: { perMailbox: 3, at: "AUTH" } },
    provider: { limits: { connections: 3 }, pool: { maxMessagesPerConnection: 100, waitTimeoutMs: 60_000 } },
  });
  await sendAll(proxy);
  assertUnthrottled(proxy);
  const { connections } = proxy.upstream;
  assert.ok(connections.every(({ transactions }) => transactions.length <= 100));
  assert.ok(connections.length <= MESSAGES / 100 + 2, `${connections.length} connections`);
});

Deno.test("Proxy serves waiting sessions in the order in which they asked", async () => {
  await using proxy = await startProxy({
    provider: { limits: { connections: 3 }, pool: { waitTimeoutMs: 60_000 } },
  });
  const { upstream } = proxy;
  const order: string[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  upstream.always("MAIL", ({ line }) => void order.push(/<(\d+)@/.exec(line!)![1]!));
  upstream.always("finalDot", () => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return { until: gate.promise };
  });
  const clients = await Promise.all(
    Array.from({ length: SESSIONS }, () => proxy.signIn({ deadlineMs: 60_000 })),
  );
  const sending: Promise<string>[] = [];
  for (const [number, client] of clients.entries()) {
    sending.push(send(client, number));
    if (number < 3) await upstream.waitFor(() => gates.length === number + 1, "the final dot");
    else await waiting(proxy, number - 2);
  }
  // One connection comes free at a time.
  for (let released = 0; released < SESSIONS; released++) {
    await upstream.waitFor(() => gates.length > released, "the next final dot");
    await upstream.waitFor(() => order.length === Math.min(released + 3, SESSIONS), "the next MAIL");
    gates[released]!.resolve();
  }
  await Promise.all(sending);
  for (const client of clients) client[Symbol.dispose]();
  assert.deepEqual(order, clients.map((_, number) => String(number)));
});

function send(client: SmtpTestClient, number: number): Promise<string> {
  return client.send({
    from: `${number}@example.com`,
    to: ["recipient@example.com"],
    data: "Subject: test\r\n\r\n",
  });
}

/** Until so many transactions wait in the pool: nothing tells of it but its state. */
async function waiting(proxy: TestProxy, count: number): Promise<void> {
  while (proxy.pool().state.waiting < count) await new Promise((resolve) => setTimeout(resolve, 0));
}
