import assert from "node:assert/strict";
import { MailboxRates } from "../../../src/upstream/rates.ts";

const never = new AbortController().signal;

async function countAll(rates: MailboxRates, count: number): Promise<void> {
  for (let message = 0; message < count; message++) await rates.countMessage(never);
}

Deno.test("MailboxRates lets a minute's messages through and refuses the next with the time to wait", async () => {
  let refused = 0;
  const rates = new MailboxRates({ connections: 3, messagesPerMinute: 30 }, { onLimit: () => refused++ });
  await countAll(rates, 30);
  await assert.rejects(rates.countMessage(never), (error: { code: string; retryAfterMs: number }) => {
    assert.equal(error.code, "RATE_LIMIT");
    return error.retryAfterMs > 5_000 && error.retryAfterMs <= 60_000;
  });
  assert.deepEqual([refused, await rates.remaining()], [1, { messagesThisMinute: 0 }]);
  await rates.close();
});

Deno.test("MailboxRates holds a message back when its turn is near", async () => {
  const rates = new MailboxRates({ connections: 3, messagesPerMinute: 2 }, { minuteSeconds: 0.05 });
  await countAll(rates, 5);
  assert.deepEqual(await rates.remaining(), { messagesThisMinute: 1 });
  await rates.close();
});

Deno.test("MailboxRates ends a message's wait with its signal", async () => {
  const rates = new MailboxRates({ connections: 3, messagesPerMinute: 1 }, { minuteSeconds: 4 });
  await countAll(rates, 1);
  const abort = new AbortController();
  const waiting = rates.countMessage(abort.signal);
  abort.abort(new DOMException("The client is gone", "AbortError"));
  await assert.rejects(waiting, { name: "AbortError" });
  await rates.close();
});

Deno.test("MailboxRates does not count what it refuses", async () => {
  const rates = new MailboxRates({ connections: 3, messagesPerMinute: 2 }, { maxShapingMs: 0 });
  for (const _ of [1, 2, 3, 4]) await Promise.allSettled([rates.countMessage(never)]);
  rates.limits = { connections: 3, messagesPerMinute: 3 };
  assert.deepEqual(await rates.remaining(), { messagesThisMinute: 1 });
  await rates.countMessage(never);
  await assert.rejects(rates.countMessage(never), { code: "RATE_LIMIT" });
  await rates.close();
});

Deno.test("MailboxRates counts recipients of a day", async () => {
  const rates = new MailboxRates({ connections: 3, recipientsPerDay: 2 });
  for (const _ of [1, 2]) await rates.admitRecipient();
  await assert.rejects(rates.admitRecipient(), { code: "RATE_LIMIT" });
  await rates.countRecipients(1);
  rates.releaseRecipients(2);
  await rates.admitRecipient();
  await assert.rejects(rates.admitRecipient(), { code: "RATE_LIMIT" });
  await rates.countRecipients(1);
  rates.releaseRecipients(1);
  await assert.rejects(rates.admitRecipient(), { code: "RATE_LIMIT", message: /2 recipients a day/ });
  assert.deepEqual(await rates.remaining(), { recipientsToday: 0 });
  await rates.close();
});

Deno.test("MailboxRates without limits counts nothing", async () => {
  const rates = new MailboxRates({ connections: 3 });
  await countAll(rates, 100);
  await rates.countRecipients(1);
  assert.deepEqual(await rates.remaining(), {});
});

Deno.test("MailboxRates takes back a message in its own minute, and not below nothing", async () => {
  const rates = new MailboxRates({ connections: 3, messagesPerMinute: 2 });
  const count = (await rates.countMessage(never))!;
  await rates.uncountMessage({ windowEndMs: count.windowEndMs - 60_000 });
  assert.deepEqual(await rates.remaining(), { messagesThisMinute: 1 });
  await rates.uncountMessage(count);
  await rates.uncountMessage(count);
  assert.deepEqual(await rates.remaining(), { messagesThisMinute: 2 });
  await rates.close();
  assert.equal(await new MailboxRates({ connections: 3 }).countMessage(never), undefined);
});
