import assert from "node:assert/strict";
import { Reply } from "../../../src/smtp/reply.ts";
import { DialError, PoolBusyError } from "../../../src/upstream/upstream_error.ts";
import { PoolFixture, settled, testMailbox } from "./pool_fixture.ts";

const never = new AbortController().signal;
const tooMany = Reply.of(432, "4.3.2", "Concurrent connections limit exceeded");

/** From the `count`-th connection on the provider refuses. */
function refuseBeside(fixture: PoolFixture, count: number): void {
  const { dial } = fixture;
  fixture.dial = (mailbox, signal) =>
    fixture.open < count
      ? dial(mailbox, signal)
      : Promise.reject(new DialError("auth", tooMany.text(), { reply: tooMany }));
}

Deno.test("MailboxPool goes on with the connections that it has when the provider takes no more", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 3 } }));
  refuseBeside(fixture, 2);
  const [first, second, third] = [fixture.acquire(), fixture.acquire(), fixture.acquire()];
  const lease = await first;
  await second;
  await settled();
  assert.deepEqual([fixture.pool.state.limit, fixture.pool.state.backoff], [2, undefined]);
  lease.release("clean");
  assert.equal((await third).connection, lease.connection);
  const [{ level, properties }] = fixture.log.records as [typeof fixture.log.records[0]];
  assert.deepEqual([level, properties.count, properties.limit], ["warn", 2, 3]);
  fixture.pass(60_000);
  assert.equal(fixture.pool.state.limit, 3);
});

Deno.test("MailboxPool keeps the account back when the provider takes no connection at all", async () => {
  await using fixture = new PoolFixture();
  refuseBeside(fixture, 0);
  await assert.rejects(fixture.acquire(), { code: "DIAL" });
  assert.equal(fixture.pool.state.backoff?.failures, 1);
});

Deno.test("MailboxPool lets a connection go that is refused its messages for being one too many", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 3 } }));
  const [surplus, other] = [await fixture.acquire(), await fixture.acquire()];
  fixture.pool.noteReply(tooMany);
  surplus.release("clean");
  other.release("clean");
  await settled();
  assert.deepEqual(fixture.dialed.map(({ stream }) => stream.isClosed), [true, false]);
  assert.deepEqual([fixture.pool.state.limit, fixture.pool.state.backoff], [1, undefined]);
});

Deno.test("MailboxPool.withPlace keeps within the limit: an idle connection leaves, a busy one is waited for", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ limits: { connections: 1 }, pool: { waitTimeoutMs: 10_000 } }),
  );
  const open = () => Promise.resolve(fixture.open);
  (await fixture.acquire()).release("clean");
  assert.equal(await fixture.pool.withPlace(open, never), 0);
  const lease = await fixture.acquire();
  const waiting = fixture.pool.withPlace(open, never);
  await settled();
  lease.release("clean");
  assert.equal(await waiting, 0);
  const gate = Promise.withResolvers<void>();
  const working = fixture.pool.withPlace(() => gate.promise, never);
  const acquired = fixture.acquire();
  await settled();
  assert.equal(fixture.open, 0);
  gate.resolve();
  await working;
  (await acquired).release("clean");
  assert.equal(fixture.pool.state.open, 1);
});

Deno.test("MailboxPool.withPlace gives up when all connections stay busy", async () => {
  await using fixture = new PoolFixture(
    testMailbox({ limits: { connections: 1 }, pool: { waitTimeoutMs: 1 } }),
  );
  const lease = await fixture.acquire();
  await assert.rejects(fixture.pool.withPlace(() => Promise.resolve(), never), PoolBusyError);
  lease.release("clean");
});

Deno.test("MailboxPool counts a transaction that waits for its account's rate among those under way", async () => {
  await using fixture = new PoolFixture(testMailbox({ pool: { maxTransactions: 1 } }));
  const gate = Promise.withResolvers<void>();
  const waiting = fixture.pool.acquire(never, () => gate.promise);
  await assert.rejects(fixture.acquire(), { code: "POOL_BUSY" });
  gate.resolve();
  (await waiting).release("clean");
  assert.equal(fixture.pool.state.transactions, 0);
});
