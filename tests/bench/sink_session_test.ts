import assert from "node:assert/strict";
import { Load } from "./load.ts";
import { LoaderSession } from "./loader_session.ts";
import { MessageTemplate } from "./message_template.ts";
import { SinkLedger } from "./sink_ledger.ts";
import type { SinkBehaviour } from "./sink_ledger.ts";
import { SinkSession } from "./sink_session.ts";
import { writeAll } from "./write_all.ts";

const HOSTNAME = "127.0.0.1";

/** A sink without TLS in this process. */
class TestSink implements AsyncDisposable {
  readonly ledger: SinkLedger;
  readonly port: number;
  readonly #listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
  readonly #serving: Promise<void>;

  constructor(behaviour: SinkBehaviour = {}) {
    this.ledger = new SinkLedger(behaviour);
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve();
  }

  async #serve(): Promise<void> {
    const sessions: Promise<void>[] = [];
    for await (const conn of this.#listener) sessions.push(new SinkSession(conn, this.ledger).run());
    await Promise.all(sessions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}

function client(port: number, messageOctets: number) {
  const message = MessageTemplate.create(messageOctets);
  return {
    hostname: HOSTNAME,
    port,
    mechanism: "xoauth2",
    password: "token",
    message,
    pipelining: true,
  } as const;
}

// Around the sink's 64 KiB of input and the template's 128 KiB, where the end of data is split over reads and writes.
for (const octets of [200, 4096, 65_400, 65_500, 65_536, 131_069, 131_070, 131_072, 1_000_000]) {
  Deno.test(`SinkSession counts each octet of messages of ${octets}`, async () => {
    await using sink = new TestSink({ keepsNumbers: true });
    const session = await LoaderSession.open("mailbox@bench.example", client(sink.port, octets));
    for (const number of [7, 1234567]) await session.send(number);
    await session.quit();
    assert.deepEqual(sink.ledger.numbers, [7, 1234567]);
    assert.equal(sink.ledger.octets, 2 * octets);
  });
}

Deno.test("SinkSession takes commands and end of data one octet a segment", async () => {
  await using sink = new TestSink();
  using conn = await Deno.connect({ hostname: HOSTNAME, port: sink.port });
  conn.setNoDelay(true);
  const text = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na\r\n..\r\n.x\r\n.\r\nQUIT\r\n";
  for (const octet of new TextEncoder().encode(text)) await writeAll(conn, Uint8Array.of(octet));
  const replies = await new Response(conn.readable).text();
  assert.match(replies, /354 [^\r]+\r\n250 2\.0\.0 [^\r]+\r\n221 /);
  assert.equal(sink.ledger.octets, "a\r\n..\r\n.x\r\n".length);
});

Deno.test("SinkSession takes an empty message", async () => {
  await using sink = new TestSink();
  using conn = await Deno.connect({ hostname: HOSTNAME, port: sink.port });
  await writeAll(conn, new TextEncoder().encode("DATA\r\n.\r\nQUIT\r\n"));
  assert.match(await new Response(conn.readable).text(), /\r\n250 2\.0\.0 [^\r]+\r\n221 /);
  assert.equal(sink.ledger.messages, 1);
});

Deno.test("SinkSession answers more pipelined commands than its output holds", async () => {
  await using sink = new TestSink();
  using conn = await Deno.connect({ hostname: HOSTNAME, port: sink.port });
  await writeAll(conn, new TextEncoder().encode("NOOP\r\n".repeat(1000) + "QUIT\r\n"));
  const replies = await new Response(conn.readable).text();
  assert.equal(replies.match(/^250 /gm)?.length, 1000);
});

Deno.test("SinkLedger holds final replies until all messages wait", async () => {
  await using sink = new TestSink({ holdFinalRepliesUntil: 3 });
  const options = { sessions: 3, users: ["a@b"], connectsPerMessage: false, messages: 6, warmUpSeconds: 0 };
  const result = await new Load(client(sink.port, 300), { ...options, keepsNumbers: true }).run(() => {});
  assert.deepEqual(result.failures, {});
  assert.deepEqual(result.acknowledged.toSorted(), [0, 1, 2, 3, 4, 5]);
});

Deno.test("SinkLedger refuses a connection beyond a mailbox's limit", async () => {
  await using sink = new TestSink({ connectionsPerMailbox: 1 });
  const session = await LoaderSession.open("one@b", client(sink.port, 300));
  await assert.rejects(LoaderSession.open("one@b", client(sink.port, 300)), /432 4\.3\.2/);
  await (await LoaderSession.open("other@b", client(sink.port, 300))).quit();
  await session.quit();
});

Deno.test("Load counts refusals and goes on with the other sessions", async () => {
  await using sink = new TestSink({ connectionsPerMailbox: 2 });
  const options = { sessions: 5, users: ["a@b"], connectsPerMessage: false, messages: 10, warmUpSeconds: 0 };
  const result = await new Load(client(sink.port, 300), { ...options, keepsNumbers: false }).run(() => {});
  assert.equal(result.messages, 10);
  assert.deepEqual(Object.values(result.failures), [3]);
});

Deno.test("SinkLedger takes only tokens of its own whose time is not over", () => {
  const ledger = new SinkLedger({ tokenLifetimeSeconds: 60 });
  assert.equal(ledger.acceptsToken(ledger.issueToken().access_token), true);
  assert.equal(ledger.acceptsToken("token"), false);
  assert.equal(ledger.acceptsToken(`${Date.now() - 1}.ttt`), false);
  assert.deepEqual([ledger.counts().lateSignIns, ledger.counts().tokenRequests], [2, 1]);
  assert.equal(new SinkLedger({}).acceptsToken("token"), true);
});
