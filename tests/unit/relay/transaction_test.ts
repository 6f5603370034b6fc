import assert from "node:assert/strict";
import { Transaction } from "../../../src/relay/transaction.ts";
import type { TransactionRecord } from "../../../src/relay/transaction_record.ts";
import type { Step } from "../../../src/relay/step.ts";
import { LineReader } from "../../../src/smtp/line_reader.ts";
import { BufferPool } from "../../../src/relay/buffer_pool.ts";
import { Extensions } from "../../../src/smtp/extensions.ts";
import { idleTracer } from "../../../src/telemetry/tracer.ts";
import { StreamClosedError } from "../../../src/transport/byte_stream.ts";
import { MemoryStream } from "../upstream/memory_stream.ts";
import { type FixtureSettings, PoolFixture, testMailbox } from "../upstream/pool_fixture.ts";

const MAIL: Step = { verb: "MAIL", mail: { reversePath: "a@example.com", smtputf8: false, dsn: [] } };
const rcpt = (forwardPath: string): Step => ({ verb: "RCPT", rcpt: { forwardPath, dsn: [] } });

function answer(line: string): string | undefined {
  if (/^(MAIL|RSET)/.test(line)) return "250 2.1.0 OK";
  if (line.startsWith("RCPT")) return line.includes("bad") ? "550 5.1.1 No" : "250 2.1.5 OK";
  return { DATA: "354 go", ".": "250 2.0.0 OK", QUIT: "221 2.0.0 Bye" }[line];
}

/** A pool whose provider offers PIPELINING and answers as `answer` says. */
class Fixture extends PoolFixture {
  readonly records: TransactionRecord[] = [];
  readonly abort = new AbortController();

  constructor(settings: FixtureSettings = {}, extensions = ["PIPELINING", "8BITMIME"]) {
    super(testMailbox(settings));
    this.answer = answer;
    this.dial = (mailbox) => {
      const connection = this.connect(mailbox);
      connection.extensions = new Extensions(extensions);
      return Promise.resolve(connection);
    };
  }

  begin(): Transaction {
    return new Transaction({
      pool: this.pool,
      session: "0001",
      client: "192.0.2.1",
      signal: this.abort.signal,
      now: () => this.nowMs,
      observer: (record) => this.records.push(record),
      tracer: idleTracer,
    });
  }

  get writes(): string[] {
    return this.dialed.flatMap(({ stream }) => stream.writes);
  }
}

async function flush(transaction: Transaction, ...steps: readonly Step[]): Promise<string[]> {
  const fresh = steps.map((step) => ({ ...step }));
  for (const step of fresh) transaction.queue(step);
  await transaction.flush();
  return fresh.map((step) => step.reply!.text());
}

/** The message of a client that has read 354. */
async function relayHello(transaction: Transaction) {
  const client = new MemoryStream();
  client.push("hello\r\n.\r\n");
  return await transaction.relayData(new LineReader(client), {
    buffers: new BufferPool(),
    bareNewline: "normalize",
    maxTextLineOctets: 0,
    onOctets: () => {},
  });
}

Deno.test("Transaction sends a group in one write, and the replies are the provider's", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  const replies = await flush(transaction, MAIL, rcpt("b@example.net"), rcpt("bad@example.net"), {
    verb: "DATA",
  });
  assert.deepEqual(replies, ["250 2.1.0 OK", "250 2.1.5 OK", "550 5.1.1 No", "354 go"]);
  assert.deepEqual(fixture.writes, [
    "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<bad@example.net>\r\nDATA\r\n",
  ]);
  assert.equal(transaction.recipients, 1);
  await transaction.abandon();
});

Deno.test("Transaction writes one command at a time where PIPELINING is not offered", async () => {
  await using fixture = new Fixture({}, []);
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  assert.deepEqual(fixture.writes, [
    "MAIL FROM:<a@example.com>\r\n",
    "RCPT TO:<b@example.net>\r\n",
    "DATA\r\n",
  ]);
  await transaction.abandon();
});

Deno.test("Transaction puts RSET in front of the group that follows an abandoned one, in the same write", async () => {
  await using fixture = new Fixture();
  const abandoned = fixture.begin();
  await flush(abandoned, MAIL);
  await abandoned.abandon();
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"));
  assert.equal(fixture.writes.at(-1), "RSET\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
  await transaction.abandon();
  assert.deepEqual(fixture.records.map(({ outcome }) => outcome), ["abandoned", "abandoned"]);
});

Deno.test("Transaction takes no connection before its first flush, and none when it is abandoned before", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  transaction.queue({ ...MAIL });
  await transaction.abandon();
  assert.equal(fixture.dialed.length, 0);
  assert.equal(fixture.records[0]?.outcome, "abandoned");
});

Deno.test("Transaction ends with the record of what became of it", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"), rcpt("bad@example.net"), { verb: "DATA" });
  assert.equal((await relayHello(transaction)).text(), "250 2.0.0 OK");
  const { outcome, recipients, refusedRecipients, messageOctets, reversePath, account } = fixture.records[0]!;
  assert.deepEqual({ outcome, recipients, refusedRecipients, messageOctets, reversePath, account }, {
    outcome: "relayed",
    recipients: 1,
    refusedRecipients: 1,
    messageOctets: 7,
    reversePath: "a@example.com",
    account: "sender@example.com",
  });
  assert.ok(transaction.isOver);
  assert.equal(fixture.pool.state.idle, 1);
});

Deno.test("Transaction defers what the provider turns out not to offer, without sending it", async () => {
  await using fixture = new Fixture({}, ["PIPELINING"]);
  const transaction = fixture.begin();
  const mail: Step = { verb: "MAIL", mail: { reversePath: "", smtputf8: true, dsn: [] } };
  const replies = await flush(transaction, mail, rcpt("b@example.net"));
  assert.deepEqual(replies.map((reply) => reply.slice(0, 9)), ["451 4.3.0", "451 4.3.0"]);
  assert.deepEqual(fixture.writes, []);
  assert.equal(fixture.pool.state.idle, 1);
});

Deno.test("Transaction that waits for the pool ends with its session, in a 4yz", async () => {
  await using fixture = new Fixture();
  fixture.dial = (_, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  const transaction = fixture.begin();
  const flushing = flush(transaction, MAIL, rcpt("b@example.net"));
  fixture.abort.abort(new DOMException("The session is ending", "AbortError"));
  assert.deepEqual((await flushing).map((reply) => reply.slice(0, 9)), ["451 4.3.2", "451 4.3.2"]);
  assert.equal(fixture.pool.state.transactions, 0);
});

Deno.test("Transaction counts recipients against the message's limit, queued ones included", async () => {
  await using fixture = new Fixture({ limits: { connections: 1, recipientsPerMessage: 2 } });
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("bad@example.net"), rcpt("b@example.net"));
  assert.equal(await transaction.admitRecipient(), undefined, "a refused one doesn't count");
  transaction.queue({ ...rcpt("c@example.net") });
  assert.match((await transaction.admitRecipient())!.text(), /^452 4\.5\.3 /);
  await transaction.abandon();
});

Deno.test("Transaction throws a connection away whose provider waits for a message", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  await transaction.abandon();
  assert.deepEqual([fixture.pool.state.open, fixture.open], [0, 0]);
  const next = fixture.begin();
  assert.deepEqual(await flush(next, MAIL), ["250 2.1.0 OK"]);
  await next.abandon();
});

/** Sends a message of one line; the provider answers its end so. */
async function finalReply(fixture: Fixture, ...answers: readonly string[]): Promise<string> {
  fixture.answer = (line) => line === "." ? answers.join("\r\n") : answer(line);
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  return (await relayHello(transaction)).text();
}

const FINAL_REPLIES:
  readonly (readonly [why: string, answers: readonly string[], reply: RegExp, idle: number])[] = [
    ["a yes", ["250 2.0.0 OK"], /^250 2\.0\.0 OK$/, 1],
    ["another yes of the mail system", ["251 2.6.0 Queued"], /^251 2\.6\.0 Queued$/, 1],
    ["a no", ["550 5.7.1 No"], /^550 5\.7\.1 No$/, 1],
    ["a yes and a farewell", ["250 2.0.0 OK", "421 4.3.2 Closing"], /^250 2\.0\.0 OK$/, 0],
    ["two answers", ["250 2.0.0 OK", "550 5.7.1 No"], /^451 4\.4\.2 /, 0],
    ["a no and more", ["550 5.7.1 No", "250 2.0.0 OK"], /^550 5\.7\.1 No$/, 0],
    ["another command's yes", ["221 2.0.0 Bye"], /^451 4\.4\.2 /, 0],
    ["a go-ahead", ["354 go on"], /^451 4\.4\.2 /, 0],
  ];

for (const [why, answers, expected, idle] of FINAL_REPLIES) {
  Deno.test(`Transaction answers the final dot with what ${why} means, and keeps only a connection in step`, async () => {
    await using fixture = new Fixture();
    assert.match(await finalReply(fixture, ...answers), expected);
    assert.equal(fixture.pool.state.idle, idle);
    assert.equal(fixture.records[0]?.outcomeUnknown, expected.source.startsWith("^451") || undefined);
  });
}

const MISSTEPS: readonly (readonly [verb: string, reply: string])[] = [
  ["MAIL", "220 ready"],
  ["MAIL", "354 go"],
  ["RCPT", "221 Bye"],
  ["DATA", "250 OK"],
  ["DATA", "350 go on"],
  ["MAIL", "550 5.7.57 Client not authenticated to send mail"],
  ["MAIL", "554 5.7.0 Authentication required"],
];

for (const [verb, misstep] of MISSTEPS) {
  Deno.test(`Transaction takes "${misstep}" for no answer to ${verb}, and defers`, async () => {
    await using fixture = new Fixture();
    fixture.answer = (line) => line.startsWith(verb) ? misstep : answer(line);
    const transaction = fixture.begin();
    const replies = await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
    assert.deepEqual(replies.map((reply) => reply.slice(0, 4)), ["451 ", "451 ", "451 "]);
    assert.equal(fixture.open, 0);
  });
}

Deno.test("Transaction replays on a fresh connection what a used one calls out of sequence", async () => {
  await using fixture = new Fixture();
  assert.equal(await finalReply(fixture, "250 2.0.0 OK"), "250 2.0.0 OK");
  fixture.dialed[0]!.stream.answer = (line) =>
    line.startsWith("MAIL") ? "503 5.5.1 Nested MAIL" : answer(line);
  fixture.answer = answer;
  const transaction = fixture.begin();
  assert.deepEqual(await flush(transaction, MAIL), ["250 2.1.0 OK"]);
  assert.equal(fixture.dialed.length, 2);
  await transaction.abandon();
});

Deno.test("Transaction whose recipients were only deferred has a group's DATA deferred, too", async () => {
  await using fixture = new Fixture();
  fixture.answer = (line) => {
    if (line.startsWith("RCPT")) return "451 4.3.0 Not now";
    return line === "DATA" ? "503 5.5.1 No valid recipients" : answer(line);
  };
  const transaction = fixture.begin();
  const replies = await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  assert.deepEqual(replies.map((reply) => reply.slice(0, 9)), ["250 2.1.0", "451 4.3.0", "451 4.5.1"]);
  assert.equal(fixture.records[0]?.outcome, "deferred");
});

Deno.test("Transaction that is over because its session was ended is deferred, not abandoned by its client", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  await flush(transaction, MAIL);
  fixture.abort.abort(new DOMException("The session is ending", "AbortError"));
  await transaction.abandon();
  assert.deepEqual(fixture.records.map(({ outcome }) => outcome), ["deferred"]);
});

Deno.test("Transaction that waits to be replayed ends with its session, in a 4yz", async () => {
  await using fixture = new Fixture();
  assert.equal(await finalReply(fixture, "250 2.0.0 OK"), "250 2.0.0 OK");
  fixture.dialed[0]!.stream.answer = (line) => {
    if (line.startsWith("MAIL")) fixture.dialed[0]!.stream.end("reset");
    return undefined;
  };
  const dialing = Promise.withResolvers<void>();
  fixture.dial = (_, signal) => {
    dialing.resolve();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
  };
  const transaction = fixture.begin();
  const flushing = flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  await dialing.promise;
  fixture.abort.abort(new DOMException("The session is ending", "AbortError"));
  assert.deepEqual((await flushing).map((reply) => reply.slice(0, 9)), Array(3).fill("451 4.3.2"));
  assert.equal(fixture.pool.state.transactions, 0);
});

Deno.test("Transaction that is cut while its end is being written awaits the final reply, and its fate is unknown", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  const { stream } = fixture.dialed[0]!;
  const stalled = Promise.withResolvers<void>();
  stream.stalledBy = stalled.promise;
  stream.onClose = () => stalled.reject(new StreamClosedError());
  const client = new MemoryStream();
  const relaying = transaction.relayData(new LineReader(client), {
    buffers: new BufferPool(),
    bareNewline: "normalize",
    maxTextLineOctets: 0,
    onOctets: () => {},
  });
  client.push("hello\r\n.\r\n");
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(transaction.awaitsFinalReply, true);
  transaction.cut();
  assert.match((await relaying).text(), /^451 4\.4\.2 /);
  assert.deepEqual(fixture.records.map(({ outcome, outcomeUnknown }) => [outcome, outcomeUnknown]), [
    ["deferred", true],
  ]);
});

Deno.test("Transaction that is cut inside its message has not been delivered", async () => {
  await using fixture = new Fixture();
  const transaction = fixture.begin();
  await flush(transaction, MAIL, rcpt("b@example.net"), { verb: "DATA" });
  const client = new MemoryStream();
  const relaying = transaction.relayData(new LineReader(client), {
    buffers: new BufferPool(),
    bareNewline: "normalize",
    maxTextLineOctets: 0,
    onOctets: () => transaction.cut(),
  });
  client.push("hello\r\n");
  await new Promise((resolve) => setTimeout(resolve));
  client.push(".\r\n");
  assert.match((await relaying).text(), /^451 4\.4\.2 /);
  assert.equal(fixture.records[0]?.outcomeUnknown, undefined);
});

Deno.test("Transaction that is cut while it gets its connection sends nothing on it", async () => {
  await using fixture = new Fixture();
  const { dial } = fixture;
  const transaction = fixture.begin();
  fixture.dial = (mailbox, signal) => {
    transaction.cut();
    return dial(mailbox, signal);
  };
  assert.deepEqual((await flush(transaction, MAIL)).map((reply) => reply.slice(0, 9)), ["451 4.4.2"]);
  assert.deepEqual(fixture.writes, []);
});

Deno.test("Transaction defers all of a message whose replay the fresh connection can't carry", async () => {
  await using fixture = new Fixture();
  assert.equal(await finalReply(fixture, "250 2.0.0 OK"), "250 2.0.0 OK");
  const eightBit: Step = {
    verb: "MAIL",
    mail: { reversePath: "a@example.com", smtputf8: false, body: "8BITMIME", dsn: [] },
  };
  const transaction = fixture.begin();
  assert.deepEqual(await flush(transaction, eightBit, rcpt("b@example.net")), [
    "250 2.1.0 OK",
    "250 2.1.5 OK",
  ]);
  fixture.dialed[0]!.stream.end("reset");
  fixture.dial = (mailbox) => {
    const connection = fixture.connect(mailbox);
    connection.extensions = new Extensions(["PIPELINING"]);
    return Promise.resolve(connection);
  };
  for (const step of [rcpt("c@example.net"), { verb: "DATA" } as const]) {
    assert.deepEqual((await flush(transaction, step)).map((reply) => reply.slice(0, 9)), ["451 4.4.2"]);
  }
  assert.deepEqual(fixture.dialed[1]!.stream.writes, []);
});
