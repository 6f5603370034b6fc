import assert from "node:assert/strict";
import { Reply } from "../../../src/smtp/reply.ts";
import { Throttle } from "../../../src/upstream/throttle.ts";
import { DialError } from "../../../src/upstream/upstream_error.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";
import { PoolFixture, settled, testMailbox } from "./pool_fixture.ts";

const tooMany = Reply.of(432, "4.3.2", "Concurrent connections limit exceeded");
const quick = { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 20, jitter: false };

Deno.test("MailboxPool keeps the account back after a throttle, and shows it", async () => {
  await using fixture = new PoolFixture();
  const lease = await fixture.acquire();
  fixture.pool.noteReply(tooMany);
  lease.release("clean");
  assert.deepEqual(fixture.pool.state.backoff, {
    reason: "432 4.3.2 Concurrent connections limit exceeded",
    remedy: "The provider asks to slow down; the account waits and goes on by itself",
    remainingMs: 1000,
    failures: 1,
  });
  const waiter = fixture.acquire();
  await settled();
  assert.deepEqual([fixture.pool.state.waiting, fixture.pool.hasWaiters], [1, false]);
  fixture.pass(1000);
  const next = fixture.acquire();
  (await waiter).release("clean");
  (await next).release("clean");
  assert.equal(fixture.pool.state.backoff, undefined);
  assert.deepEqual([fixture.throttles, fixture.dialed.length], [1, 2]);
});

Deno.test("MailboxPool wakes those who wait for a throttle's end, in order", async () => {
  await using fixture = new PoolFixture(testMailbox({ limits: { connections: 1 }, retry: quick }));
  fixture.pool.noteReply(tooMany);
  const order: number[] = [];
  const work = async (index: number) => {
    const lease = await fixture.acquire();
    order.push(index);
    lease.release("clean");
  };
  const working = Promise.all([0, 1, 2, 3].map(work));
  assert.equal(fixture.pool.state.waiting, 4);
  fixture.pass(20); // the pool's own timer wakes it
  await working;
  assert.deepEqual(order, [0, 1, 2, 3]);
});

Deno.test("MailboxPool turns away at once who would wait for too long", async () => {
  await using fixture = new PoolFixture(testMailbox({ pool: { waitTimeoutMs: 30_000 } }));
  fixture.pool.noteReply(tooMany);
  const queued = assert.rejects(fixture.acquire(), { code: "THROTTLED", retryAfterMs: 3_600_000 });
  fixture.pool.noteReply(Reply.of(554, "5.2.0", "STOREDRV.Submission; SubmissionQuotaExceeded"));
  await queued;
  await assert.rejects(fixture.acquire(), { code: "THROTTLED", message: /next try in 3600 s/ });
  assert.deepEqual([fixture.pool.state.waiting, fixture.pool.state.transactions], [0, 0]);
});

const waits: readonly [reply: Reply, waitMs: number][] = [
  [Reply.of(421, "4.3.2", "Service not active"), 1000],
  [Reply.of(421, "4.7.0", "Try again later, closing connection"), 1000],
  [Reply.of(432, "4.3.2", "Concurrent connections limit exceeded"), 1000],
  [Reply.of(450, "4.2.1", "Rate of messages"), 1000],
  [Reply.of(451, "4.7.500", "Server busy"), 1000],
  [Reply.of(454, "4.7.0", "Temporary authentication failure"), 1000],
  [Reply.of(454, "4.7.0", "Too many login attempts, please try again later"), 120_000],
  [Reply.of(550, "5.4.5", "Daily user sending limit exceeded"), 3_600_000],
  [Reply.of(554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException"), 3_600_000],
  [Reply.of(421, "4.4.2", "Idle for too long"), 0],
  [Reply.of(450, "4.1.1", "Mailbox busy"), 0],
  [Reply.of(550, "5.1.1", "No such user"), 0],
  [Reply.of(550, "5.2.252", "SendAsDenied"), 0],
  [Reply.of(250, "2.0.0", "OK"), 0],
];
for (const [reply, waitMs] of waits) {
  Deno.test(`MailboxPool waits ${waitMs / 1000} s after ${reply.text()}`, async () => {
    await using fixture = new PoolFixture();
    fixture.pool.noteReply(reply);
    assert.equal(fixture.pool.state.backoff?.remainingMs ?? 0, waitMs);
  });
}

const recipientWaits: readonly [reply: Reply, waitMs: number][] = [
  [Reply.of(450, "4.7.1", "<a@example.net>: Recipient address rejected: Greylisted, try again"), 0],
  [Reply.of(450, "4.2.1", "The user is receiving mail too quickly. - gsmtp"), 0],
  [Reply.of(451, "4.7.500", "Server busy"), 0],
  [Reply.of(452, "4.7.0", "Too many login attempts, please try again later"), 0],
  [Reply.of(550, "5.4.5", "Daily limit of the recipient exceeded"), 0],
  [Reply.of(550, "5.2.0", "The recipient's submission quota was exceeded"), 0],
  [Reply.of(550, "5.1.1", "<SubmissionQuotaExceeded@example.net>: User unknown"), 0],
  [Reply.of(421, "4.4.2", "Idle for too long"), 0],
  [Reply.of(421, "4.7.0", "Try again later, closing connection"), 1000],
  [Reply.of(432, "4.3.2", "Concurrent connections limit exceeded"), 1000],
  [Reply.of(454, "4.7.0", "Temporary authentication failure"), 1000],
  [Reply.of(454, "4.7.0", "Too many login attempts, please try again later"), 120_000],
  [Reply.of(554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException"), 3_600_000],
  [Reply.of(250, "2.1.5", "OK"), 0],
];
for (const [reply, waitMs] of recipientWaits) {
  Deno.test(`Throttle waits ${waitMs / 1000} s after ${reply.text()} to a recipient`, () => {
    const throttle = new Throttle({
      account: "sender@example.com",
      retry: { ...quick, maxDelayMs: 60_000 },
      log: recordingLog().log,
      now: () => 0,
      onWait() {},
      onEnd() {},
    });
    throttle.noteReply(reply, "recipient");
    assert.equal(throttle.remainingMs, waitMs);
    throttle.close();
  });
}

Deno.test("MailboxPool keeps the account back after a refused sign-in, and logs cause and remedy", async () => {
  await using fixture = new PoolFixture();
  const reply = Reply.of(535, "5.7.139", "SmtpClientAuthentication is disabled for the Tenant");
  fixture.dial = () => Promise.reject(new DialError("auth", reply.text(), { reply, challengeStatus: "400" }));
  await assert.rejects(fixture.acquire(), { code: "DIAL" });
  assert.equal(fixture.pool.state.backoff?.failures, 1);
  const [{ level, properties }] = fixture.log.records as [typeof fixture.log.records[0]];
  assert.deepEqual([level, properties.cause, properties.phase, properties.challengeStatus], [
    "warn",
    "smtp-auth-disabled",
    "auth",
    "400",
  ]);
  assert.match(String(properties.remedy), /Set-CASMailbox/);
});

Deno.test("MailboxPool does not wait after a dial that nobody answered", async () => {
  await using fixture = new PoolFixture();
  fixture.dial = () => Promise.reject(new DialError("connect", "refused"));
  await assert.rejects(fixture.acquire(), { code: "DIAL" });
  assert.equal(fixture.pool.state.backoff, undefined);
});

Deno.test("MailboxPool goes on by itself after three refusals in a row, each wait longer", async () => {
  await using fixture = new PoolFixture();
  for (const failures of [1, 2, 3]) {
    fixture.pool.noteReply(tooMany);
    assert.equal(fixture.pool.state.backoff?.failures, failures);
    fixture.pass(2 ** (failures - 1) * 1000);
  }
  (await fixture.acquire()).release("clean");
  assert.equal(fixture.throttles, 3);
});

Deno.test("MailboxPool.close ends a throttle's timer", async () => {
  const fixture = new PoolFixture();
  fixture.pool.noteReply(tooMany);
  const waiter = assert.rejects(fixture.acquire(), { code: "POOL_CLOSED" });
  await fixture.pool.close();
  await waiter;
  fixture.pool.noteReply(tooMany);
  fixture.pass(1000);
  await settled();
  assert.equal(fixture.dialed.length, 0);
  await fixture[Symbol.asyncDispose]();
});
