import assert from "node:assert/strict";
import { Reply } from "../../../src/smtp/reply.ts";
import type { Lease } from "../../../src/upstream/lease.ts";
import { PoolFixture, settled, testMailbox } from "./pool_fixture.ts";

const never = new AbortController().signal;

Deno.test("MailboxPool reuses the connection that was used last", async () => {
  await using fixture = new PoolFixture();
  const leases = await Promise.all([fixture.acquire(), fixture.acquire()]);
  for (const lease of leases) lease.release("clean");
  const again = await fixture.acquire();
  assert.equal(again.connection, fixture.dialed[1]!.connection);
  assert.equal(again.isReused, true);
  assert.equal(fixture.dialed.length, 2);
  again.release("clean");
});

Deno.test("MailboxPool.acquireIdle leases at once what acquire would, and nothing where that would wait", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ limits: { connections: 1 }, pool: { maxTransactions: 2 } }),
  );
  const { pool } = fixture;
  assert.equal(pool.acquireIdle(never), undefined, "nothing is open");
  (await fixture.acquire()).release("clean");
  const lease = pool.acquireIdle(never)!;
  assert.deepEqual([lease.isReused, pool.state.transactions, pool.state.idle], [true, 1, 0]);
  const waiter = fixture.acquire();
  lease.release("clean");
  assert.equal(pool.acquireIdle(never), undefined, "it went to the one who waited");
  (await waiter).release("clean");
  assert.equal(pool.acquireIdle(AbortSignal.abort()), undefined);
  pool.noteReply(Reply.of(421, "4.7.0", "Try again later"));
  assert.equal(pool.acquireIdle(never), undefined, "the account waits");
  pool.replace(fixture.pool.mailbox);
  pool.remove();
  assert.equal(pool.acquireIdle(never), undefined, "the account is gone");
  await settled();
  assert.equal(pool.state.transactions, 0);
});

Deno.test("MailboxPool serves waiters in the order of asking and never passes the limit", async () => {
  await using fixture = new PoolFixture();
  const order: number[] = [];
  const work = async (index: number) => {
    const lease = await fixture.acquire();
    order.push(index);
    assert.ok(fixture.open <= 3);
    await settled();
    lease.release("clean");
  };
  await Promise.all(Array.from({ length: 50 }, (_, index) => work(index)));
  assert.deepEqual(order, Array.from({ length: 50 }, (_, index) => index));
  assert.equal(fixture.dialed.length, 3);
});

Deno.test("MailboxPool retires a connection that is too old for another message", async () => {
  await using fixture = new PoolFixture(testMailbox({ pool: { connectionMaxAgeMs: 60_000 } }));
  const lease = await fixture.acquire();
  fixture.pass(60_000);
  lease.release("clean");
  assert.deepEqual(fixture.dialed[0]!.stream.writes, ["QUIT\r\n"]);
  await settled();
  assert.equal(fixture.pool.state.open, 0);
});

Deno.test("MailboxPool retires an idle connection when it comes of age", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ pool: { connectionMaxAgeMs: 60_000, connectionIdleTimeoutMs: 600_000 } }),
  );
  (await fixture.acquire()).release("clean");
  fixture.pass(59_999);
  assert.equal(fixture.pool.state.idle, 1);
  fixture.pass(1);
  assert.equal(fixture.pool.state.idle, 0);
  assert.deepEqual(fixture.dialed[0]!.stream.writes, ["QUIT\r\n"]);
});

Deno.test("MailboxPool retires a connection that idled for too long", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ pool: { connectionMaxAgeMs: 600_000, connectionIdleTimeoutMs: 30_000 } }),
  );
  (await fixture.acquire()).release("clean");
  fixture.pass(29_999);
  assert.equal(fixture.pool.state.idle, 1);
  fixture.pass(1);
  assert.deepEqual(fixture.dialed[0]!.stream.writes, ["QUIT\r\n"]);
  await settled();
  assert.deepEqual([fixture.pool.state.open, fixture.open], [0, 0]);
});

Deno.test("MailboxPool retires a connection after its number of messages", async () => {
  await using fixture = new PoolFixture(testMailbox({ pool: { maxMessagesPerConnection: 3 } }));
  for (let message = 0; message < 7; message++) {
    (await fixture.acquire()).release("clean");
    await settled();
  }
  assert.deepEqual(fixture.dialed.map(({ connection }) => connection.transactions), [3, 3, 1]);
});

for (const how of ["FIN", "RST", "421"] as const) {
  Deno.test(`MailboxPool removes an idle connection at once after ${how}`, async () => {
    await using fixture = new PoolFixture();
    (await fixture.acquire()).release("clean");
    const { stream } = fixture.dialed[0]!;
    if (how === "421") stream.say("421 4.4.2 Idle for too long");
    else stream.end(how === "FIN" ? "close" : "reset");
    await settled();
    assert.deepEqual([fixture.pool.state.open, fixture.pool.state.idle, stream.isClosed], [0, 0, true]);
    assert.equal((await fixture.acquire()).isReused, false);
  });
}

Deno.test("MailboxPool throws away a lease that was not handed back", async () => {
  await using fixture = new PoolFixture();
  {
    using _lease = await fixture.acquire();
    assert.equal(fixture.pool.state.open, 1);
  }
  assert.deepEqual([fixture.pool.state.open, fixture.open, fixture.pool.state.transactions], [0, 0, 0]);
});

Deno.test("MailboxPool throws away a connection that broke in use, however it is handed back", async () => {
  await using fixture = new PoolFixture();
  const lease = await fixture.acquire();
  fixture.dialed[0]!.stream.end("close");
  await assert.rejects(lease.connection.command("NOOP"), { code: "UPSTREAM_LOST" });
  lease.release("needs-reset");
  assert.equal(fixture.pool.state.open, 0);
});

Deno.test("MailboxPool gives the place of a failed dial to the next waiter", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1 } }));
  const failures = [new Error("first"), new Error("second")];
  const { dial } = fixture;
  fixture.dial = (mailbox, signal) => {
    const failure = failures.shift();
    return failure ? Promise.reject(failure) : dial(mailbox, signal);
  };
  const outcomes = await Promise.allSettled([fixture.acquire(), fixture.acquire(), fixture.acquire()]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
  assert.deepEqual([fixture.pool.state.open, fixture.pool.state.transactions], [1, 1]);
});

Deno.test("MailboxPool keeps the need of RSET until one has been sent", async () => {
  await using fixture = new PoolFixture();
  (await fixture.acquire()).release("needs-reset");
  const idle = await fixture.acquire();
  idle.release("clean");
  const { stream } = fixture.dialed[0]!;
  stream.answer = () => "250 2.0.0 OK";
  const lease = await fixture.acquire();
  await lease.connection.command("MAIL FROM:<>");
  assert.deepEqual(stream.writes, ["RSET\r\n", "MAIL FROM:<>\r\n"]);
  await lease.connection.command("RCPT TO:<a@example.com>");
  assert.equal(stream.writes.length, 3);
  lease.release("clean");
});

Deno.test("MailboxPool turns a transaction away beyond max_concurrent_messages", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ limits: { connections: 1 }, pool: { maxTransactions: 2 } }),
  );
  const lease = await fixture.acquire();
  const waiter = fixture.acquire();
  await assert.rejects(fixture.acquire(), { code: "POOL_BUSY", message: /max_concurrent_messages/ });
  lease.release("clean");
  (await waiter).release("clean");
  (await fixture.acquire()).release("clean");
});

Deno.test("MailboxPool lets nobody wait for longer than wait_timeout", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ limits: { connections: 1 }, pool: { waitTimeoutMs: 5 } }),
  );
  const lease = await fixture.acquire();
  await assert.rejects(fixture.acquire(), { code: "POOL_BUSY", message: /stayed busy for 0.005 s/ });
  assert.deepEqual([fixture.pool.state.waiting, fixture.pool.state.transactions], [0, 1]);
  lease.release("clean");
});

Deno.test("MailboxPool replaces a dead connection in the place that it had", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1 } }));
  const dead = await fixture.acquire();
  const waiter = fixture.acquire();
  const lease = await fixture.pool.renew(dead, never);
  assert.deepEqual([fixture.pool.state.open, fixture.pool.state.waiting, fixture.open], [1, 1, 1]);
  assert.equal(lease.isReused, false);
  lease.release("clean");
  (await waiter).release("clean");
  assert.equal(fixture.pool.state.transactions, 0);
});

Deno.test("MailboxPool ends the transaction when a dead connection can't be replaced", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1 } }));
  const dead = await fixture.acquire();
  const waiter: Promise<Lease> = fixture.acquire();
  const { dial } = fixture;
  fixture.dial = () => {
    fixture.dial = dial;
    return Promise.reject(new Error("unreachable"));
  };
  await assert.rejects(fixture.pool.renew(dead, never), /unreachable/);
  (await waiter).release("clean");
  assert.deepEqual([fixture.pool.state.open, fixture.pool.state.transactions], [1, 0]);
});

Deno.test("MailboxPool counts who was turned away as waiting, for as long as a client takes to come again", async () => {
  await using fixture = new PoolFixture(testMailbox({ pool: { maxTransactions: 1 } }));
  const lease = await fixture.acquire();
  assert.equal(fixture.pool.hasWaiters, false);
  await assert.rejects(fixture.acquire(), { code: "POOL_BUSY" });
  assert.equal(fixture.pool.hasWaiters, true);
  fixture.nowMs += 5_000;
  assert.equal(fixture.pool.hasWaiters, false);
  lease.release("clean");
});
