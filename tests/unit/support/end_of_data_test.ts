import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeMailData, type EndOfDataMode, EndOfDataScanner } from "../../support/end_of_data.ts";

/** Octets up to and with the terminator, however the input is cut in two. */
function endsAt(mode: EndOfDataMode, input: string): number | undefined {
  const octets = Buffer.from(input, "latin1");
  const ends = Array.from({ length: octets.length + 1 }, (_, cut) => {
    const scanner = new EndOfDataScanner(mode);
    const first = scanner.push(octets.subarray(0, cut));
    if (first !== undefined) return first;
    const second = scanner.push(octets.subarray(cut));
    return second === undefined ? undefined : cut + second;
  });
  assert.equal(new Set(ends).size, 1, `${mode}: ${JSON.stringify(input)} ends at ${ends}`);
  return ends[0];
}

const ROWS: readonly (readonly [EndOfDataMode, string, number | undefined, string])[] = [
  ["strict", "a\r\n.\r\nQUIT\r\n", 6, "by the book"],
  ["strict", ".\r\nQUIT\r\n", 3, "empty data: the line end of DATA counts"],
  ["strict", "a\n.\n", undefined, "bare LF"],
  ["strict", "a\n.\r\n", undefined, "bare LF before the dot"],
  ["strict", "a\r.\r", undefined, "bare CR"],
  ["strict", "a\r\n.\r", undefined, "no LF yet"],
  ["strict", "a\r\n..\r\n", undefined, "a stuffed dot"],
  ["LF.LF", "a\n.\nQUIT", 4, "as its name says"],
  ["LF.LF", "a\n.\r\nQUIT", 5, "mixed"],
  ["LF.CRLF", "a\n.\r\nQUIT", 5, "as its name says"],
  ["LF.CRLF", "a\n.\nQUIT", undefined, "not LF.LF"],
  ["CR.CR", "a\r.\rQUIT", 4, "as its name says"],
  ["CRLF.CR", "a\r\n.\rQUIT", 5, "as its name says"],
  ["nul-stripping", "a\r\n\0.\r\nQUIT", 7, "a NUL before the dot"],
  ["nul-stripping", "a\r\n.\0\r\0\nQUIT", 8, "NULs behind the dot"],
  ["strict", "a\r\n\0.\r\n", undefined, "a NUL before the dot"],
];

for (const [mode, input, end, why] of ROWS) {
  Deno.test(`EndOfDataScanner ${mode} on ${JSON.stringify(input)}: ${why}`, () => {
    assert.equal(endsAt(mode, input), end);
  });
}

Deno.test("decodeMailData takes stuffed dots and the last line away", () => {
  const decoded = (body: string) => Buffer.from(decodeMailData(Buffer.from(body))).toString();
  assert.equal(decoded("..a\r\n..\r\nb.\r\n.c\r\n.\r\n"), ".a\r\n.\r\nb.\r\nc\r\n");
  assert.equal(decoded(".\r\n"), "");
  assert.equal(decoded("a\r\n.\r\n"), "a\r\n");
});
