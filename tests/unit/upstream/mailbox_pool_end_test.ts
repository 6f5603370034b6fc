import assert from "node:assert/strict";
import { PoolFixture, settled, testMailbox } from "./pool_fixture.ts";

const never = new AbortController().signal;
const reason = new DOMException("The client is gone", "AbortError");
const oneConnection = { limits: { connections: 1 } };

Deno.test("MailboxPool forgets a waiter whose signal aborts", async () => {
  await using fixture = new PoolFixture(testMailbox(oneConnection));
  const lease = await fixture.acquire();
  const abort = new AbortController();
  const first = fixture.pool.acquire(abort.signal);
  const second = fixture.acquire();
  abort.abort(reason);
  await assert.rejects(first, reason);
  lease.release("clean");
  (await second).release("clean");
  assert.deepEqual([fixture.pool.state.waiting, fixture.pool.state.transactions], [0, 0]);
});

Deno.test("MailboxPool keeps a connection whose waiter aborts in the moment of hand-over", async () => {
  await using fixture = new PoolFixture(testMailbox(oneConnection));
  const lease = await fixture.acquire();
  const abort = new AbortController();
  const first = fixture.pool.acquire(abort.signal);
  const second = fixture.acquire();
  lease.release("clean");
  abort.abort(reason);
  await assert.rejects(first, reason);
  const next = await second;
  assert.equal(next.connection, lease.connection);
  next.release("clean");
  assert.deepEqual(fixture.pool.state, {
    open: 1,
    idle: 1,
    dialing: 0,
    waiting: 0,
    limit: 1,
    transactions: 0,
  });
});

Deno.test("MailboxPool gives back the place of a waiter that aborts before it can dial", async () => {
  await using fixture = new PoolFixture(testMailbox(oneConnection));
  const lease = await fixture.acquire();
  const abort = new AbortController();
  const first = fixture.pool.acquire(abort.signal);
  const second = fixture.acquire();
  lease[Symbol.dispose]();
  abort.abort(reason);
  await assert.rejects(first, reason);
  (await second).release("clean");
  assert.deepEqual([fixture.pool.state.open, fixture.dialed.length], [1, 2]);
});

Deno.test("MailboxPool gives back the place of a dial that is aborted", async () => {
  await using fixture = new PoolFixture(testMailbox(oneConnection));
  const { dial } = fixture;
  fixture.dial = (_, signal) => {
    fixture.dial = dial;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const abort = new AbortController();
  const first = fixture.pool.acquire(abort.signal);
  const second = fixture.acquire();
  await settled();
  abort.abort(reason);
  await assert.rejects(first, reason);
  (await second).release("clean");
  assert.deepEqual([fixture.pool.state.open, fixture.pool.state.transactions], [1, 0]);
});

Deno.test("MailboxPool keeps a connection that was dialed for nobody any more", async () => {
  await using fixture = new PoolFixture(testMailbox(oneConnection));
  const dialing = Promise.withResolvers<void>();
  fixture.dial = async (mailbox) => {
    await dialing.promise;
    return fixture.connect(mailbox);
  };
  const abort = new AbortController();
  const first = fixture.pool.acquire(abort.signal);
  await settled();
  abort.abort(reason);
  dialing.resolve();
  await assert.rejects(first, reason);
  assert.deepEqual([fixture.pool.state.idle, fixture.pool.state.open], [1, 1]);
});

Deno.test("MailboxPool.close turns waiters away, cuts what is in use and says QUIT on the rest", async () => {
  const fixture = new PoolFixture();
  const leases = await Promise.all([fixture.acquire(), fixture.acquire(), fixture.acquire()]);
  const waiter = fixture.acquire();
  const refused = assert.rejects(waiter, { code: "POOL_CLOSED" });
  leases.pop()!.release("clean"); // to the waiter, which is overtaken by the close
  const closing = fixture.pool.close();
  await refused;
  assert.equal(await closing, 0);
  assert.equal(fixture.open, 0);
  for (const lease of leases) lease.release("clean");
  assert.deepEqual([fixture.pool.state.open, fixture.pool.state.transactions], [0, 0]);
  await fixture[Symbol.asyncDispose]();
});

Deno.test("MailboxPool.close ends dials under way, and a connection that still comes is closed", async () => {
  const fixture = new PoolFixture();
  const obeying = Promise.withResolvers<never>();
  const deaf = Promise.withResolvers<void>();
  const dials = [
    (_: unknown, signal: AbortSignal) => {
      signal.addEventListener("abort", () => obeying.reject(signal.reason));
      return obeying.promise;
    },
    async () => {
      await deaf.promise;
      return fixture.connect(testMailbox());
    },
  ];
  fixture.dial = (mailbox, signal) => dials.shift()!(mailbox, signal);
  const refused = [fixture.acquire(), fixture.acquire()].map((acquired) =>
    assert.rejects(acquired, { code: "POOL_CLOSED" })
  );
  await settled();
  await fixture.pool.close();
  deaf.resolve();
  await Promise.all(refused);
  assert.deepEqual([fixture.pool.state.open, fixture.open, fixture.dialed.length], [0, 0, 1]);
  await fixture[Symbol.asyncDispose]();
});

Deno.test("MailboxPool dials for nobody after close", async () => {
  const fixture = new PoolFixture();
  const dead = await fixture.acquire();
  await fixture.pool.close();
  await assert.rejects(fixture.pool.renew(dead, never), { code: "POOL_CLOSED" });
  await assert.rejects(fixture.acquire(), { code: "POOL_CLOSED" });
  assert.equal(await fixture.pool.prewarm(3, never), 0);
  assert.deepEqual([fixture.dialed.length, fixture.pool.state.open], [1, 0]);
  await fixture[Symbol.asyncDispose]();
});

Deno.test("MailboxPool.close drops a warm-up that ends in its course", async () => {
  const fixture = new PoolFixture();
  const dialing = Promise.withResolvers<void>();
  fixture.dial = async (mailbox) => {
    await dialing.promise;
    return fixture.connect(mailbox);
  };
  const warmUp = fixture.pool.prewarm(2, never);
  const closing = fixture.pool.close();
  dialing.resolve();
  await Promise.all([warmUp, closing]);
  assert.deepEqual([fixture.pool.state.idle, fixture.pool.state.open, fixture.open], [0, 0, 0]);
  await fixture[Symbol.asyncDispose]();
});

Deno.test("MailboxPool.close ends 1,000 idle connections at once", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1000 } }));
  assert.equal(await fixture.pool.prewarm(1000, never), 1000);
  const closing = fixture.pool.close();
  assert.ok(fixture.dialed.every(({ stream }) => stream.writes.at(-1) === "QUIT\r\n"));
  assert.equal(await closing, 1000);
  assert.equal(fixture.open, 0);
});

Deno.test("MailboxPool.close drops 1,000 connections of a provider that never answers QUIT", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1000 } }));
  fixture.answer = () => undefined;
  await fixture.pool.prewarm(1000, never);
  // One after the other they would take 500 s.
  assert.equal(await fixture.pool.close(), 1000);
  assert.equal(fixture.open, 0);
});

Deno.test("MailboxPool.close may be called twice", async () => {
  const fixture = new PoolFixture();
  (await fixture.acquire()).release("clean");
  assert.deepEqual(await Promise.all([fixture.pool.close(), fixture.pool.close()]), [1, 0]);
  await fixture[Symbol.asyncDispose]();
});
