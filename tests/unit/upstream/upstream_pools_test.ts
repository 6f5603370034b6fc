import assert from "node:assert/strict";
import type { Mailbox } from "../../../src/upstream/mailbox.ts";
import { UpstreamPools } from "../../../src/upstream/upstream_pools.ts";
import { PoolFixture, settled, testMailbox } from "./pool_fixture.ts";

const never = new AbortController().signal;

/** Pools that take their connections from a fixture, whose own pool is not used. */
function startPools(fixture: PoolFixture): UpstreamPools {
  return new UpstreamPools({
    dialer: { dial: (mailbox: Mailbox, signal: AbortSignal) => fixture.dial(mailbox, signal) },
    log: fixture.log.log,
    now: () => fixture.nowMs,
  });
}

Deno.test("UpstreamPools has one pool a mailbox, whatever the case of its address", async () => {
  await using fixture = new PoolFixture();
  const pools = startPools(fixture);
  const pool = pools.for(testMailbox());
  assert.equal(pools.for({ ...testMailbox(), email: "Sender@Example.com" }), pool);
  assert.equal(pools.get("SENDER@example.com"), pool);
  assert.deepEqual([...pools], [["sender@example.com", pool]]);
  await pools.close();
});

Deno.test("UpstreamPools lets a removed account's last transaction end, and counts it if the account returns", async () => {
  await using fixture = new PoolFixture();
  const pools = startPools(fixture);
  const lease = await pools.for(testMailbox()).acquire(never);
  pools.remove("sender@example.com");
  assert.equal(pools.get("sender@example.com"), undefined);
  const pool = pools.for(testMailbox());
  assert.equal(pool.state.open, 1);
  lease.release("clean");
  await settled();
  assert.deepEqual([pool.state.open, fixture.open], [0, 0]);
  (await pool.acquire(never)).release("clean");
  assert.equal(await pools.close(), 1);
});

Deno.test("UpstreamPools ends an empty removed pool at the next removal, its counts and timers with it", async () => {
  await using fixture = new PoolFixture();
  const pools = startPools(fixture);
  const limits = { connections: 1, messagesPerMinute: 10, recipientsPerDay: 10 };
  const first = pools.for(testMailbox({ limits }));
  await first.rates.countMessage(never);
  await first.rates.countRecipients(3);
  pools.for({ ...testMailbox(), email: "other@example.com" });
  pools.remove("sender@example.com");
  pools.remove("other@example.com");
  assert.notEqual(pools.for(testMailbox({ limits })), first);
  await pools.close();
  assert.deepEqual(await first.rates.remaining(), { messagesThisMinute: 10, recipientsToday: 10 });
  await assert.rejects(first.acquire(never), { code: "POOL_CLOSED" });
});

Deno.test("UpstreamPools.close ends what removed accounts still have open", async () => {
  await using fixture = new PoolFixture();
  const pools = startPools(fixture);
  const lease = await pools.for(testMailbox()).acquire(never);
  pools.remove("sender@example.com");
  pools.remove("nobody@example.com");
  assert.equal(await pools.close(), 0);
  assert.equal(fixture.open, 0);
  lease.release("clean");
});

Deno.test("UpstreamPools opens nothing after close", async () => {
  await using fixture = new PoolFixture();
  const pools = startPools(fixture);
  await pools.close();
  await assert.rejects(pools.for(testMailbox()).acquire(never), { code: "POOL_CLOSED" });
  assert.equal(fixture.dialed.length, 0);
});

Deno.test("UpstreamPools replaces the mailbox of a pool that is used, and makes none for one that isn't", async () => {
  await using fixture = new PoolFixture();
  const pools = startPools(fixture);
  pools.replace(testMailbox());
  assert.equal(pools.get("sender@example.com"), undefined);
  const pool = pools.for(testMailbox());
  const changed = testMailbox({ limits: { connections: 7 } });
  pools.replace(changed);
  assert.deepEqual([pool.mailbox, pool.state.limit], [changed, 7]);
  await pools.close();
});
