import assert from "node:assert/strict";
import { Reply } from "../../../src/smtp/reply.ts";
import { PoolFixture, settled, testMailbox } from "./pool_fixture.ts";

const never = new AbortController().signal;

Deno.test("MailboxPool.replace retires idle connections now and leased ones after their transaction", async () => {
  await using fixture = new PoolFixture();
  const [leased, idle] = await Promise.all([fixture.acquire(), fixture.acquire()]);
  idle.release("clean");
  const changed = testMailbox();
  fixture.pool.replace(changed);
  assert.deepEqual(fixture.dialed.map(({ stream }) => stream.writes.length), [0, 1]);
  leased.release("clean");
  assert.equal(fixture.dialed[0]!.stream.writes[0], "QUIT\r\n");
  await settled();
  const next = await fixture.acquire();
  assert.equal(fixture.dialed[2]!.mailbox, changed);
  next.release("clean");
  assert.equal(fixture.pool.state.idle, 1);
});

Deno.test("MailboxPool retires a connection that was handed over while the mailbox was replaced", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1 } }));
  const lease = await fixture.acquire();
  const waiter = fixture.acquire();
  lease.release("clean");
  fixture.pool.replace(testMailbox({ limits: { connections: 1 } }));
  (await waiter).release("clean");
  await settled();
  assert.deepEqual([fixture.pool.state.open, fixture.open], [0, 0]);
});

Deno.test("MailboxPool keeps no connection that was dialed with old credentials", async () => {
  await using fixture = new PoolFixture();
  const dialing = Promise.withResolvers<void>();
  fixture.dial = async (mailbox) => {
    await dialing.promise;
    return fixture.connect(mailbox);
  };
  const acquired = fixture.acquire();
  const warmUp = fixture.pool.prewarm(2, never);
  await settled();
  fixture.pool.replace(testMailbox());
  dialing.resolve();
  await warmUp;
  (await acquired).release("clean");
  await settled();
  assert.deepEqual([fixture.dialed.length, fixture.pool.state.open, fixture.open], [2, 0, 0]);
});

Deno.test("MailboxPool dials once more when the old credentials fail while new ones come", async () => {
  await using fixture = new PoolFixture();
  const dialing = Promise.withResolvers<never>();
  const { dial } = fixture;
  fixture.dial = () => {
    fixture.dial = dial;
    return dialing.promise;
  };
  const acquired = fixture.acquire();
  await settled();
  const changed = testMailbox();
  fixture.pool.replace(changed);
  dialing.reject(new Error("535 of the old credentials"));
  const lease = await acquired;
  assert.deepEqual(fixture.dialed.map(({ mailbox }) => mailbox), [changed]);
  lease.release("clean");
});

Deno.test("MailboxPool.replace serves waiters by a greater limit, and keeps to a smaller one", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1 } }));
  const first = await fixture.acquire();
  const waiter = fixture.acquire();
  fixture.pool.replace(testMailbox({ limits: { connections: 2 } }));
  const second = await waiter;
  fixture.pool.replace(testMailbox({ limits: { connections: 1 } }));
  const third = fixture.acquire();
  first.release("clean");
  await settled();
  assert.equal(fixture.pool.state.waiting, 1);
  second.release("clean");
  (await third).release("clean");
  assert.deepEqual([fixture.pool.state.open, fixture.pool.state.limit], [1, 1]);
});

Deno.test("MailboxPool.replace takes over rates and ends a wait", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1, messagesPerMinute: 30 } }));
  fixture.pool.noteReply(Reply.of(432, "4.3.2", "Concurrent connections limit exceeded"));
  const waiter = fixture.acquire();
  assert.equal(fixture.pool.state.waiting, 1);
  fixture.pool.replace(testMailbox({ limits: { connections: 1, messagesPerMinute: 5 } }));
  (await waiter).release("clean");
  assert.equal(fixture.pool.state.backoff, undefined);
  assert.deepEqual(await fixture.pool.rates.remaining(), { messagesThisMinute: 5 });
});

Deno.test("MailboxPool.remove turns waiters away and lets the transaction in hand end", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 2 } }));
  const [leased, idle] = await Promise.all([fixture.acquire(), fixture.acquire()]);
  const waiter = fixture.acquire();
  const refused = assert.rejects(waiter, { code: "POOL_BUSY", message: /account was removed/ });
  fixture.pool.remove();
  await refused;
  await assert.rejects(fixture.acquire(), { code: "POOL_BUSY" });
  assert.equal(await fixture.pool.prewarm(1, never), 0);
  const { stream } = fixture.dialed[0]!;
  assert.deepEqual([stream.isClosed, stream.writes], [false, []]);
  leased.release("clean");
  idle.release("clean");
  await settled();
  assert.deepEqual([fixture.pool.state.open, fixture.open], [0, 0]);
});

Deno.test("MailboxPool.prewarm opens up to a number, and no more at the next call", async () => {
  await using fixture = new PoolFixture();
  assert.equal(await fixture.pool.prewarm(2, never), 2);
  assert.equal(await fixture.pool.prewarm(2, never), 0);
  assert.equal(await fixture.pool.prewarm(10, never), 1);
  assert.deepEqual([fixture.pool.state.idle, fixture.pool.state.open], [3, 3]);
});

Deno.test("MailboxPool.prewarm opens connections in the place of those that leave", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 2 } }));
  assert.equal(await fixture.pool.prewarm(2, never), 2);
  fixture.pool.replace(testMailbox({ limits: { connections: 2 } }));
  assert.equal(await fixture.pool.prewarm(2, never), 2);
  assert.deepEqual([fixture.pool.state.idle, fixture.dialed.length], [2, 4]);
});

Deno.test("MailboxPool leases a warmed-up connection as one that may have died unnoticed", async () => {
  await using fixture = new PoolFixture();
  await fixture.pool.prewarm(1, never);
  const lease = await fixture.acquire();
  assert.equal(lease.isReused, true);
  lease.release("clean");
});

Deno.test("MailboxPool.prewarm logs why it failed and gives its places back", async () => {
  await using fixture = new PoolFixture();
  fixture.dial = () => Promise.reject(new Error("Cannot connect to the provider (connect): refused"));
  assert.equal(await fixture.pool.prewarm(3, never), 0);
  assert.equal(fixture.pool.state.open, 0);
  assert.deepEqual(fixture.log.messages(), [
    "Warm-up of sender@example.com failed: Cannot connect to the provider (connect): refused",
  ]);
});

Deno.test("MailboxPool.prewarm ends with its signal, without a word", async () => {
  await using fixture = new PoolFixture();
  fixture.dial = (_, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const abort = new AbortController();
  const warmUp = fixture.pool.prewarm(3, abort.signal);
  await settled();
  abort.abort();
  assert.equal(await warmUp, 0);
  assert.deepEqual([fixture.pool.state.open, fixture.log.records.length], [0, 0]);
});

Deno.test("MailboxPool.prewarm serves those who wait", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 2 } }));
  const dialing = Promise.withResolvers<void>();
  fixture.dial = async (mailbox) => {
    await dialing.promise;
    return fixture.connect(mailbox);
  };
  const warmUp = fixture.pool.prewarm(2, never);
  await settled();
  const waiter = fixture.acquire();
  dialing.resolve();
  assert.equal(await warmUp, 2);
  (await waiter).release("clean");
  assert.equal(fixture.pool.state.idle, 2);
});
