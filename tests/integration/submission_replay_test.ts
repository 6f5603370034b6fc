/** A pooled connection that turns out dead before the body began: replayed once on a fresh one, unseen by the client. */

import assert from "node:assert/strict";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";
import type { Action, Phase } from "../support/upstream_script.ts";

const RECIPIENTS = ["a@example.net", "b@example.net"];

/** A proxy whose pool holds one connection that has carried one message. */
async function startWarmProxy(): Promise<{ proxy: TestProxy; client: SmtpTestClient }> {
  const proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  const client = await proxy.signIn();
  assert.match(await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "first" }), /^250 2\.0\.0 OK 1-1$/);
  return { proxy, client };
}

const STALE: readonly (readonly [name: string, action: Action])[] = [
  ["FIN", "close"],
  ["reset", "reset"],
  ["421", { reply: "421 4.4.2 idle for too long", then: "close" }],
  ["a 421 and silence", { reply: "421 4.3.2 going away", then: "hang" }],
  ["garbage", { reply: "what?", then: "close" }],
];

for (const [name, action] of STALE) {
  for (const phase of ["MAIL", "RCPT", "DATA"] as const satisfies readonly Phase[]) {
    Deno.test(`Transaction replays a stale connection unseen: ${name} at ${phase}`, async () => {
      const { proxy, client } = await startWarmProxy();
      await using _proxy = proxy;
      using _client = client;
      proxy.upstream.once(phase, action, { connection: 1 });
      const reply = await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "second" });
      assert.equal(reply, "250 2.0.0 OK 2-1");
      const second = proxy.upstream.messages[1]!;
      assert.deepEqual(second.forwardPaths, RECIPIENTS);
      assert.equal(new TextDecoder().decode(second.body), "second\r\n.\r\n");
      assert.equal(proxy.upstream.connections.length, 2);
      assert.equal(proxy.pool().state.open, 1, "the dead connection's place is free again");
    });
  }
}

Deno.test("Transaction replays a pipelined group on a fresh connection", async () => {
  const { proxy, client } = await startWarmProxy();
  await using _proxy = proxy;
  using _client = client;
  proxy.upstream.once("RCPT", "reset", { connection: 1 });
  await client.write(
    `MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n`,
  );
  for (const pattern of ["250 2.1.0 OK", "250 2.1.5 OK", "250 2.1.5 OK", "354 *"]) {
    await client.expect(pattern);
  }
  await client.write("x\r\n.\r\n");
  await client.expect("250 2.0.0 OK 2-1");
});

Deno.test("Transaction waits for no more replies of a group after a 421", async () => {
  const { proxy, client } = await startWarmProxy();
  await using _proxy = proxy;
  using _client = client;
  proxy.upstream.once("MAIL", { reply: "421 4.3.2 going away", then: "hang" }, { connection: 1 });
  await client.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`);
  for (const pattern of ["250 2.1.0 OK", "250 2.1.5 OK", "354 *"]) await client.expect(pattern);
  await client.write("x\r\n.\r\n");
  await client.expect("250 2.0.0 OK 2-1");
});

Deno.test("Transaction that is answered differently when replayed is deferred, and nothing is sent", async () => {
  const { proxy, client } = await startWarmProxy();
  await using _proxy = proxy;
  using _client = client;
  proxy.upstream.once("DATA", "reset", { connection: 1 });
  proxy.upstream.once("RCPT", { reply: "550 5.1.1 No such user" }, { connection: 2 });
  await client.dialog`
    C: MAIL FROM:<${ACCOUNT}>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
    C: RCPT TO:<b@example.net>
    S: 250 *
    C: DATA
    S: 451 4.4.2 *
    C: NOOP
    S: 250 *
  `;
  assert.equal(proxy.upstream.messages.length, 1);
  assert.match(await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "third" }), /^250 /);
  assert.equal(proxy.transactions.at(-2)?.outcome, "deferred");
});

Deno.test("Transaction is replayed only once", async () => {
  const { proxy, client } = await startWarmProxy();
  await using _proxy = proxy;
  using _client = client;
  proxy.upstream.once("RCPT", "close", { connection: 1 });
  proxy.upstream.once("DATA", "close", { connection: 2 });
  await client.dialog`
    C: MAIL FROM:<${ACCOUNT}>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
    C: DATA
    S: 451 4.4.2 *
  `;
  assert.equal(proxy.upstream.connections.length, 2);
  assert.match(await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "again" }), /^250 /);
});

Deno.test("Transaction does not replay on a connection that was fresh", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("RCPT", "close");
  await client.dialog`
    C: MAIL FROM:<${ACCOUNT}>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 451 4.4.2 *
    C: RCPT TO:<b@example.net>
    S: 451 4.4.2 *
    C: RSET
    S: 250 *
  `;
  assert.equal(proxy.upstream.connections.length, 1);
  assert.match(await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "again" }), /^250 /);
});

Deno.test("Transaction reads the dial's failure when the fresh connection can't be had", async () => {
  const { proxy, client } = await startWarmProxy();
  await using _proxy = proxy;
  using _client = client;
  proxy.upstream.once("MAIL", "close", { connection: 1 });
  proxy.upstream.refuseConnections();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, /^451 4\.4\.1 /);
  assert.equal(proxy.pool().state.open, 0);
  await proxy.upstream.acceptConnections();
  assert.match(await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "again" }), /^250 /);
});

for (const how of ["close", "reset", "421"] as const) {
  Deno.test(`Pool takes an idle connection out that the provider ended by ${how}`, async () => {
    const { proxy, client } = await startWarmProxy();
    await using _proxy = proxy;
    using _client = client;
    assert.equal(proxy.upstream.endIdleConnections(how), 1);
    assert.equal(await client.send({ from: ACCOUNT, to: RECIPIENTS, data: "second" }), "250 2.0.0 OK 2-1");
    assert.equal(proxy.upstream.messages.length, 2);
  });
}
