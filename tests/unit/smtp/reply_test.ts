import assert from "node:assert/strict";
import { encodeReplyLines, parseReplyLine, Reply } from "../../../src/smtp/reply.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (octets: Uint8Array) => new TextDecoder().decode(octets);

Deno.test("Reply.of puts the code in front of every line and the enhanced code on each", () => {
  assert.equal(decode(Reply.of(250, "2.0.0", "OK").octets), "250 2.0.0 OK\r\n");
  assert.equal(decode(Reply.of(250, "2.0.0", ["one", "two"]).octets), "250-2.0.0 one\r\n250 2.0.0 two\r\n");
  assert.equal(decode(Reply.of(334, "", "").octets), "334 \r\n", "RFC 4954 §4: the space is required");
});

Deno.test("Reply.of lets no text start a line of its own", () => {
  const { octets } = Reply.of(451, "4.3.0", "bad\r\n250 2.0.0 forged\0\x1b");
  assert.equal(decode(octets), "451 4.3.0 bad 250 2.0.0 forged \r\n");
});

Deno.test("Reply tells its class and takes itself apart", () => {
  const reply = Reply.of(452, "4.5.3", ["Too many", "recipients"]);
  assert.deepEqual(
    [reply.isPositive, reply.isTransient, reply.isPermanent, reply.enhancedCode, reply.lines],
    [false, true, false, "4.5.3", ["4.5.3 Too many", "4.5.3 recipients"]],
  );
  assert.equal(reply.text(), "452 4.5.3 Too many / 4.5.3 recipients");
  assert.equal(reply.text(10), "452 4.5.3 …");
  assert.equal(Reply.of(354, "", "go").isPositive, false);
  assert.equal(Reply.of(550, "", "5.1.1x no").enhancedCode, undefined);
});

Deno.test("Reply.withCode replaces code and enhanced code on every line", () => {
  const reply = new Reply(421, encode("421-4.7.0 Try\r\n421 4.7.0 later\r\n"));
  assert.equal(decode(reply.withCode(451, "4.7.0").octets), "451-4.7.0 Try\r\n451 4.7.0 later\r\n");
  assert.equal(
    decode(new Reply(421, encode("421 busy\r\n")).withCode(451, "4.3.2").octets),
    "451 4.3.2 busy\r\n",
  );
});

const LINES: readonly (readonly [line: string, parsed: ReturnType<typeof parseReplyLine>])[] = [
  ["250 OK", { code: 250, isLast: true }],
  ["250-more", { code: 250, isLast: false }],
  ["250", { code: 250, isLast: true }],
  ["354 ", { code: 354, isLast: true }],
  ["599 x", { code: 599, isLast: true }],
  ["25", undefined],
  ["", undefined],
  ["250_x", undefined],
  ["2500", undefined],
  ["199 x", undefined],
  ["650 x", undefined],
  ["2a0 x", undefined],
  ["HTTP/1.1 400 Bad Request", undefined],
];

for (const [line, parsed] of LINES) {
  Deno.test(`parseReplyLine reads ${JSON.stringify(line)} as ${JSON.stringify(parsed) ?? "no reply"}`, () => {
    assert.deepEqual(parseReplyLine(encode(line)), parsed);
  });
}

Deno.test("encodeReplyLines ends every line in CRLF and lets no octet inside end one", () => {
  const lines = ["250-one", "250", "250 a\rb\nc\0d"].map(encode);
  assert.equal(decode(encodeReplyLines(lines)), "250-one\r\n250 \r\n250 a b c d\r\n");
});
