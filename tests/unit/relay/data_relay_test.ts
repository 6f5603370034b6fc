import assert from "node:assert/strict";
import { BufferPool, DATA_BUFFER_OCTETS } from "../../../src/relay/buffer_pool.ts";
import { ClientGoneError, type DataRelayOptions, relayMailData } from "../../../src/relay/data_relay.ts";
import { LineReader } from "../../../src/smtp/line_reader.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { nextTurn } from "../../../src/waiting/next_turn.ts";
import { UpstreamConnection } from "../../../src/upstream/connection.ts";
import { MemoryStream } from "../upstream/memory_stream.ts";

/** A client and a provider in memory. */
class Fixture implements Disposable {
  readonly deadlines = new Deadlines({ tickMs: 3_600_000 });
  readonly client = new MemoryStream();
  readonly provider = new MemoryStream(() => undefined);
  readonly reader = new LineReader(this.client);
  readonly connection = new UpstreamConnection(this.provider, { deadlines: this.deadlines, now: () => 0 });
  readonly buffers = new BufferPool();
  /** What the relay waited for, in order. */
  readonly waits: ("client" | "provider")[] = [];

  relay(options: Partial<DataRelayOptions> = {}, upstream: UpstreamConnection | undefined = this.connection) {
    return relayMailData(this.reader, upstream, {
      buffers: this.buffers,
      bareNewline: "normalize",
      maxTextLineOctets: 0,
      onRead: () => this.waits.push("client"),
      onOctets: () => this.waits.push("provider"),
      ...options,
    });
  }

  get sent(): string {
    return this.provider.writes.join("");
  }

  [Symbol.dispose](): void {
    this.connection.close();
    this.deadlines[Symbol.dispose]();
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("relayMailData hands on each piece as it comes, and leaves what is behind the end", async () => {
  using fixture = new Fixture();
  const relaying = fixture.relay();
  fixture.client.push("one\r\n");
  await turn();
  assert.equal(fixture.sent, "one\r\n");
  fixture.client.push("two\r\n.\r\nQUIT\r\n");
  assert.deepEqual(await relaying, { octets: 10 });
  assert.equal(fixture.sent, "one\r\ntwo\r\n.\r\n");
  assert.equal(new TextDecoder().decode(fixture.reader.peek()), "QUIT\r\n");
  assert.deepEqual(fixture.waits, ["client", "provider", "client", "provider"]);
});

Deno.test("relayMailData reads no further while the provider takes nothing", async () => {
  using fixture = new Fixture();
  const taken = Promise.withResolvers<void>();
  fixture.provider.stalledBy = taken.promise;
  let octets = 0;
  const relaying = fixture.relay({ onOctets: (more) => octets += more });
  const line = `${"x".repeat(998)}\r\n`;
  fixture.client.push(line.repeat(1000));
  await turn();
  assert.equal(octets, DATA_BUFFER_OCTETS);
  assert.equal(fixture.provider.writes.length, 1);
  fixture.provider.stalledBy = undefined;
  taken.resolve();
  fixture.client.push(".\r\n");
  await relaying;
  assert.equal(octets, 1_000_003);
  assert.equal(fixture.sent, `${line.repeat(1000)}.\r\n`);
});

Deno.test("relayMailData lets others have their turn while a client sends faster than it is read", async () => {
  using fixture = new Fixture();
  let octets = 0;
  fixture.client.push(`${`${"x".repeat(998)}\r\n`.repeat(2000)}.\r\n`);
  const relaying = fixture.relay({ onOctets: (more) => octets += more });
  await nextTurn();
  assert.ok(octets > 0 && octets <= 2 * DATA_BUFFER_OCTETS, `${octets} octets went through in one go`);
  await relaying;
  assert.equal(octets, 2_000_003);
});

Deno.test("relayMailData puts a prefix in front, and nothing of it where the message is dropped", async () => {
  using fixture = new Fixture();
  const prefix = new TextEncoder().encode("Received: x\r\n");
  fixture.client.push("a\r\n.\r\n");
  await fixture.relay({ prefix });
  assert.equal(fixture.sent, "Received: x\r\na\r\n.\r\n");
  using dropped = new Fixture();
  dropped.client.push("a\r\n.\r\n");
  assert.deepEqual(
    await relayMailData(dropped.reader, undefined, {
      buffers: dropped.buffers,
      bareNewline: "normalize",
      maxTextLineOctets: 0,
      onOctets: () => {},
      prefix,
    }),
    { octets: 3 },
  );
});

const REFUSED: readonly (readonly [body: string, options: Partial<DataRelayOptions>, reply: RegExp])[] = [
  ["x\r\n".repeat(100), { maxMessageOctets: 100 }, /^552 5\.3\.4 /],
  ["a\nb\r\n", { bareNewline: "reject" }, /^550 5\.6\.11 /],
  [`${"x".repeat(20)}\r\n`, { maxTextLineOctets: 10 }, /^554 5\.6\.0 /],
];

for (const [body, options, expected] of REFUSED) {
  Deno.test(`relayMailData refuses with ${expected.source.slice(1, 4)}, reads to the end and never sends it`, async () => {
    using fixture = new Fixture();
    fixture.client.push(`${body}more\r\n.\r\nNOOP\r\n`);
    const { refusal } = await fixture.relay(options);
    assert.match(refusal!.reply.text(), expected);
    assert.ok(!fixture.sent.includes("\r\n.\r\n"));
    assert.equal(new TextDecoder().decode(fixture.reader.peek()), "NOOP\r\n");
  });
}

Deno.test("relayMailData takes a message of exactly the limit", async () => {
  using fixture = new Fixture();
  fixture.client.push(`${"x".repeat(98)}\r\n.\r\n`);
  assert.deepEqual(await fixture.relay({ maxMessageOctets: 100 }), { octets: 100 });
});

Deno.test("relayMailData doesn't count transparency dots against the limit", async () => {
  const lines = "..\r\n".repeat(10) + "..\rx\r\n" + "...\n.y\r\n";
  for (const [maxMessageOctets, isRefused] of [[53, true], [54, false]] as const) {
    using fixture = new Fixture();
    fixture.client.push(`${lines}${"x".repeat(10)}\r\n.\r\n`);
    const { refusal } = await fixture.relay({ maxMessageOctets });
    assert.equal(refusal !== undefined, isRefused, String(maxMessageOctets));
  }
});

Deno.test("relayMailData gives up when the client is gone, and gives its buffer back", async () => {
  using fixture = new Fixture();
  fixture.client.push("half a mess");
  fixture.client.end("close");
  await assert.rejects(fixture.relay(), ClientGoneError);
  assert.equal(fixture.sent, "half a mess");
  assert.notEqual(fixture.buffers.take(), fixture.buffers.take());
});

Deno.test("relayMailData answers with what the provider said before it hung up", async () => {
  using fixture = new Fixture();
  fixture.provider.say("552 5.3.4 Too big");
  fixture.provider.end("reset");
  fixture.client.push("a\r\n.\r\n");
  const { refusal } = await fixture.relay();
  assert.equal(refusal!.reply.text(), "552 5.3.4 Too big");
});

Deno.test("relayMailData takes no yes inside the message", async () => {
  using fixture = new Fixture();
  fixture.provider.say("250 2.0.0 OK already");
  fixture.provider.end("reset");
  fixture.client.push("a\r\n.\r\n");
  const { refusal } = await fixture.relay();
  assert.match(refusal!.reply.text(), /^451 4\.5\.0 .*250 inside the message/);
});

Deno.test("BufferPool lends a buffer again, and keeps no more than it needs", () => {
  const pool = new BufferPool();
  const buffer = pool.take();
  pool.give(buffer);
  assert.equal(pool.take(), buffer);
  const many = Array.from({ length: 100 }, () => pool.take());
  for (const one of many) pool.give(one);
  const again = Array.from({ length: 100 }, () => pool.take());
  assert.equal(again.filter((one) => many.includes(one)).length, 64);
});
