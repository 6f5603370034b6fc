import assert from "node:assert/strict";
import { type ByteSource, EndlessLineError, LineReader } from "../../../src/smtp/line_reader.ts";

const encode = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const decode = (octets: Uint8Array) => String.fromCharCode(...octets);

/** A stream that gives one chunk a read, or less if the reader has no room for it. */
class Chunks implements ByteSource {
  reads = 0;
  readonly #chunks: Uint8Array[];
  constructor(chunks: readonly string[]) {
    this.#chunks = chunks.filter((chunk) => chunk !== "").map(encode);
  }
  read(into: Uint8Array): Promise<number | null> {
    assert.ok(into.length > 0, "a read without room");
    this.reads++;
    const chunk = this.#chunks.shift();
    if (!chunk) return Promise.resolve(null);
    const taken = chunk.subarray(0, into.length);
    into.set(taken);
    if (taken.length < chunk.length) this.#chunks.unshift(chunk.subarray(taken.length));
    return Promise.resolve(taken.length);
  }
}

/** Every line up to the end, `!` in front of one that ended in a bare LF. */
async function readAll(chunks: readonly string[], maxOctets: number): Promise<string[]> {
  const reader = new LineReader(new Chunks(chunks));
  const lines: string[] = [];
  for (;;) {
    const line = await reader.readLine(maxOctets);
    if (line === null) return lines;
    lines.push(line === "too-long" ? line : (reader.endedInBareLf ? "!" : "") + decode(line));
  }
}

function splits(text: string): string[][] {
  const twice = Array.from(text, (_, i) => [text.slice(0, i), text.slice(i)]);
  return [[text], [...text], ...twice];
}

const STREAMS: readonly (readonly [stream: string, max: number, lines: readonly string[], why: string])[] = [
  ["a\r\nb\r\n", 10, ["a", "b"], "two lines"],
  ["a\nb\r\n\n\r\n", 10, ["!a", "b", "!", ""], "bare LFs end lines, and are told"],
  ["a\rb\r\n", 10, ["a\rb"], "a bare CR ends none"],
  ["\r\r\n", 10, ["\r"], "nor does a doubled one"],
  ["a\r\nunfinished", 20, ["a"], "an unfinished line is dropped"],
  ["12345678\r\n123456789\r\nok\r\n", 10, ["12345678", "too-long", "ok"], "the limit counts the line end"],
  ["123456789\n1234567890\nok\r\n", 10, ["!123456789", "too-long", "ok"], "one octet of it"],
  [
    `${"x".repeat(50)}\r\nok\r\n${"y".repeat(50)}\r\nok\r\n`,
    10,
    ["too-long", "ok", "too-long", "ok"],
    "far too long",
  ],
];

for (const [stream, max, lines, why] of STREAMS) {
  Deno.test(`LineReader, at every split: ${why}`, async () => {
    for (const chunks of splits(stream)) {
      assert.deepEqual(await readAll(chunks, max), lines, JSON.stringify(chunks));
    }
  });
}

Deno.test("LineReader grows for the lines of AUTH, up to 12,288 octets", async () => {
  const line = "A".repeat(12_286);
  for (const size of [1, 7, 2048, 5000, 20_000]) {
    const chunks = `${line}\r\nNOOP\r\n`.match(new RegExp(`[^]{1,${size}}`, "g"))!;
    assert.deepEqual(await readAll(chunks, 12_288), [line, "NOOP"]);
  }
  assert.deepEqual(await readAll([`${line}A\r\nNOOP\r\n`], 12_288), ["too-long", "NOOP"]);
});

Deno.test("LineReader gives up a line without end", async () => {
  const reader = new LineReader({ read: (into) => Promise.resolve(into.fill(0x61).length) });
  await assert.rejects(reader.readLine(2048), EndlessLineError);
});

Deno.test("LineReader reads nothing before it is asked, and takes lines that are there without reading", async () => {
  const source = new Chunks(["a\r\nb\r\nc"]);
  const reader = new LineReader(source);
  assert.equal(reader.takeLine(100), undefined);
  assert.equal(source.reads, 0);
  assert.equal(decode(await reader.readLine(100) as Uint8Array), "a");
  assert.equal(decode(reader.takeLine(100) as Uint8Array), "b");
  assert.equal(reader.takeLine(100), undefined);
  assert.equal(source.reads, 1);
  assert.equal(reader.buffered, 1);
});

Deno.test("LineReader lends its place to a larger buffer and takes back what is left, however much", async () => {
  const rest = `${"x".repeat(5000)}\r\nNOOP\r\n`;
  const source = new Chunks(["DATA\r\nfirst ", `second${rest}`]);
  const reader = new LineReader(source);
  await reader.readLine(100);
  reader.useBuffer(new Uint8Array(65_536));
  assert.equal(decode(reader.peek()), "first ");
  reader.consume(6);
  await reader.fill();
  assert.equal(decode(reader.peek()), `second${rest}`);
  reader.consume(6);
  reader.returnBuffer();
  assert.equal(await reader.readLine(2048), "too-long");
  assert.equal(decode(await reader.readLine(2048) as Uint8Array), "NOOP");
});

Deno.test("LineReader discards what is buffered, and what was scanned of it", async () => {
  const reader = new LineReader(new Chunks(["STARTTLS\r\nNOOP\r\nhalf", "EHLO x\r\n"]));
  await reader.readLine(100);
  assert.equal(reader.takeLine(3), "too-long");
  assert.equal(reader.discardBuffered(), 4);
  assert.equal(reader.buffered, 0);
  assert.equal(decode(await reader.readLine(100) as Uint8Array), "EHLO x");
});

Deno.test("LineReader joins a read that is under way", async () => {
  const gate = Promise.withResolvers<number>();
  let reads = 0;
  const reader = new LineReader({
    read(into) {
      reads++;
      into.set(encode("a\r\n"));
      return gate.promise;
    },
  });
  assert.equal(reader.isReading, false);
  const [first, second] = [reader.fill(), reader.readLine(100)];
  assert.equal(reader.isReading, true);
  gate.resolve(3);
  assert.equal(await first, true);
  assert.equal(decode(await second as Uint8Array), "a");
  assert.equal(reads, 1);
  assert.equal(reader.isReading, false);
});

Deno.test("LineReader lets the stream's failure through and can be asked again", async () => {
  let fails = true;
  const reader = new LineReader({
    read(into) {
      if (fails) return Promise.reject(new Error("reset"));
      into.set(encode("a\r\n"));
      return Promise.resolve(3);
    },
  });
  await assert.rejects(reader.readLine(100), /reset/);
  fails = false;
  assert.equal(decode(await reader.readLine(100) as Uint8Array), "a");
});

Deno.test("LineReader gives back what a large group has made it take", async () => {
  const sizes: number[] = [];
  const chunks = [".\r\n".repeat(2), "NOOP\r\n".repeat(5_000), "QUIT\r\n"];
  const source: ByteSource = {
    read(into) {
      sizes.push(into.length);
      const chunk = encode(chunks.shift() ?? "");
      into.set(chunk);
      return Promise.resolve(chunk.length || null);
    },
  };
  const reader = new LineReader(source);
  await reader.readLine(100);
  const lent = new Uint8Array(64 * 1024);
  reader.useBuffer(lent);
  reader.consume(reader.buffered);
  await reader.fill();
  reader.returnBuffer();
  let lines = 0;
  while (await reader.readLine(100) !== null) lines++;
  assert.equal(lines, 5_001);
  assert.deepEqual(sizes, [2048, 64 * 1024, 2048, 2048]);
});
