import assert from "node:assert/strict";
import { TransactionLog } from "../../../src/daemon/transaction_log.ts";
import type { TransactionRecord } from "../../../src/relay/transaction_record.ts";
import { Reply } from "../../../src/smtp/reply.ts";
import { openLog } from "../../../src/telemetry/log.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";

const record: TransactionRecord = {
  session: "0001",
  account: "a@example.com",
  client: "192.0.2.1",
  reversePath: "a@example.com",
  recipients: 1,
  refusedRecipients: 0,
  messageOctets: 10,
  outcome: "relayed",
  reply: Reply.of(250, "2.0.0", "Accepted"),
  poolWaitMs: 0.123,
  durationMs: 3.14,
};

/** A transaction log whose lines stay in memory. */
async function openTransactionLog() {
  let written = "";
  const arrived = Promise.withResolvers<void>();
  const output = {
    write(octets: Uint8Array) {
      written += new TextDecoder().decode(octets);
      arrived.resolve();
      return Promise.resolve(octets.length);
    },
  };
  const settings = {
    level: "info",
    format: "json",
    maxFileOctets: 0,
    maxFiles: 0,
    hashAddresses: false,
  } as const;
  const log = await openLog(settings, { output });
  const metrics = new Metrics({ version: "test" });
  const transactions = new TransactionLog({ write: log.writerOf("relay"), metrics, now: () => 1 });
  return {
    log,
    transactions,
    metrics,
    arrived: arrived.promise,
    sessions: () =>
      written.split("\n").slice(0, -1).map((line) => (JSON.parse(line) as { session: string }).session),
    async [Symbol.asyncDispose]() {
      transactions[Symbol.dispose]();
      metrics[Symbol.dispose]();
      await log[Symbol.asyncDispose]();
    },
  };
}

Deno.test("TransactionLog counts and remembers a transaction before its line is written", async () => {
  await using fixture = await openTransactionLog();
  const { transactions, metrics } = fixture;
  transactions.observe(record);
  assert.deepEqual(fixture.sessions(), []);
  assert.match(await metrics.text(), /^xoauth2_proxy_transactions_total\{outcome="relayed"\} 1$/m);
  assert.deepEqual(transactions.recent, [{ ...record, endedAtMs: 1 }]);
});

Deno.test("TransactionLog writes lines by itself when no more transactions end", async () => {
  await using fixture = await openTransactionLog();
  fixture.transactions.observe(record);
  fixture.transactions.observe({ ...record, session: "0002" });
  await fixture.arrived;
  await fixture.log[Symbol.asyncDispose]();
  assert.deepEqual(fixture.sessions(), ["0001", "0002"]);
});

Deno.test("TransactionLog writes what waits when it is disposed, and later ones at once", async () => {
  await using fixture = await openTransactionLog();
  const { transactions } = fixture;
  transactions.observe(record);
  transactions[Symbol.dispose]();
  transactions.observe({ ...record, session: "0002" });
  await fixture.arrived;
  assert.deepEqual(fixture.sessions().slice(0, 1), ["0001"]);
  await fixture[Symbol.asyncDispose]();
  assert.deepEqual(fixture.sessions(), ["0001", "0002"]);
});
