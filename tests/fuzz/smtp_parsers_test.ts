/** Every parser of the SMTP layer against anything at all. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { parseCommand } from "../../src/smtp/command.ts";
import { Extensions } from "../../src/smtp/extensions.ts";
import { type ByteSource, LineReader } from "../../src/smtp/line_reader.ts";
import {
  formatMail,
  formatRcpt,
  parseMailArgument,
  parseRcptArgument,
} from "../../src/smtp/mail_parameters.ts";
import { parsePathArgument } from "../../src/smtp/path.ts";
import { encodeReplyLines, parseReplyLine, Reply } from "../../src/smtp/reply.ts";
import { chunksOf, fuzz, fuzzRuns, octetsOf, storedInputs } from "./stored_inputs.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
// deno-lint-ignore no-control-regex -- control characters are what it is about
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f]/;

const pathText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(
    fc.constantFrom(
      ...'FROM:<>@".\\ab, ;=-+é\t\u2028',
      "SIZE=",
      "BODY=",
      "SMTPUTF8",
      "RET=",
      "ENVID=",
      "NOTIFY=",
      "ORCPT=",
      "example.com",
      "rfc822;",
    ),
    { maxLength: 30 },
  ).map((parts) => parts.join("")),
);

Deno.test("parseCommand takes any octets, and lets no control character through", () => {
  fuzz(octetsOf("MAIL FROM:<a@b>\r\n\0\t é"), (line) => {
    const command = parseCommand(line);
    if ("fault" in command) return;
    assert.match(command.verb, /^[A-Z0-9]{1,32}$/);
    assert.doesNotMatch(command.argument, CONTROLS);
  }, storedInputs("command"));
});

for (const [keyword, verb] of [["FROM", "MAIL"], ["TO", "RCPT"]] as const) {
  Deno.test(`what parsePathArgument takes behind ${keyword} goes upstream as one line and reads back the same`, () => {
    fuzz(fc.oneof(pathText, pathText.map((rest) => `${keyword}:<a@b.example> ${rest}`)), (text) => {
      const line = reformat(text, keyword);
      if (line === undefined) return;
      const command = parseCommand(encoder.encode(line));
      assert.ok(!("fault" in command), line);
      assert.equal(command.verb, verb);
      assert.equal(reformat(command.argument, keyword), line);
    }, storedInputs("path").map((octets) => Buffer.from(octets).toString("latin1")));
  });
}

Deno.test("parseReplyLine and encodeReplyLines take any octets and make lines that can't be read as two", () => {
  fuzz(fc.array(octetsOf("250- \r\n\0a"), { minLength: 1, maxLength: 5 }), (lines) => {
    for (const line of lines) {
      const parsed = parseReplyLine(line);
      assert.ok(parsed === undefined || (parsed.code >= 200 && parsed.code <= 599));
    }
    const whole = lines.filter((line) => line.length >= 3 && !line.includes(10));
    assert.deepEqual(splitLines(encodeReplyLines(whole)).length, whole.length);
  }, storedInputs("reply").map((line) => [line]));
});

Deno.test("Reply.of makes as many lines as asked for, of any text", () => {
  fuzz(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 5 }), (text) => {
    const reply = Reply.of(451, "4.3.0", text);
    const lines = splitLines(reply.octets);
    assert.equal(lines.length, text.length);
    for (const [index, line] of lines.entries()) {
      assert.deepEqual(parseReplyLine(encoder.encode(line)), {
        code: 451,
        isLast: index === lines.length - 1,
      });
    }
    assert.equal(reply.withCode(550, "5.0.0").lines.length, text.length);
  });
});

Deno.test("LineReader cuts any stream as its line ends say, however it comes", async () => {
  const property = fc.asyncProperty(
    chunksOf(octetsOf("ab\r\n", 400)),
    fc.integer({ min: 4, max: 64 }),
    async (chunks, max) => {
      const reader = new LineReader(sourceOf(chunks));
      const lines: string[] = [];
      for (let line = await reader.readLine(max); line !== null; line = await reader.readLine(max)) {
        lines.push(typeof line === "string" ? line : Buffer.from(line).toString("latin1"));
      }
      assert.deepEqual(lines, expectedLines(Buffer.concat(chunks).toString("latin1"), max));
    },
  );
  await fc.assert(property, { numRuns: fuzzRuns });
});

Deno.test("Extensions takes any EHLO lines, and its size is a positive whole number or absent", () => {
  const line = fc.array(fc.constantFrom(..."AUTHSIZE=- 0189\t\r", "AUTH=", "SIZE ", "__proto__"), {
    maxLength: 20,
  });
  fuzz(fc.array(line.map((parts) => parts.join("")), { maxLength: 8 }), (lines) => {
    const extensions = new Extensions(lines);
    const { size } = extensions;
    assert.ok(size === undefined || (Number.isSafeInteger(size) && size > 0));
    for (const keyword of extensions.keywords) assert.ok(extensions.has(keyword));
    assert.ok(extensions.mechanisms.every((mechanism) => mechanism === mechanism.toUpperCase()));
  });
});

/** @returns The command that would go upstream; undefined: refused. */
function reformat(text: string, keyword: "FROM" | "TO"): string | undefined {
  const path = parsePathArgument(text, keyword);
  if ("fault" in path) return undefined;
  if (keyword === "FROM") {
    const mail = parseMailArgument(path);
    return "fault" in mail ? undefined : checkedLine(formatMail(mail, () => true), text);
  }
  const rcpt = parseRcptArgument(path, true);
  return "fault" in rcpt ? undefined : checkedLine(formatRcpt(rcpt, () => true), text);
}

/** A session has refused control characters before a path is read, so those count only where they are new. */
function checkedLine(line: string, text: string): string | undefined {
  if (CONTROLS.test(text) || text.includes("\ufffd") || !text.isWellFormed()) return undefined;
  assert.doesNotMatch(line, CONTROLS);
  return line;
}

function splitLines(octets: Uint8Array): string[] {
  const text = decoder.decode(octets);
  assert.ok(text === "" || text.endsWith("\r\n"));
  const lines = text.split("\r\n").slice(0, -1);
  for (const line of lines) assert.doesNotMatch(line, /[\r\n\0]/);
  return lines;
}

function sourceOf(chunks: readonly Uint8Array[]): ByteSource {
  let rest = Buffer.concat(chunks.filter((chunk) => chunk.length > 0));
  const sizes = chunks.map(({ length }) => length).filter((length) => length > 0);
  return {
    read(into) {
      if (rest.length === 0) return Promise.resolve(null);
      const octets = Math.min(into.length, sizes.shift() ?? rest.length, rest.length);
      into.set(rest.subarray(0, octets));
      rest = rest.subarray(octets);
      return Promise.resolve(octets);
    },
  };
}

function expectedLines(text: string, maxOctets: number): string[] {
  return text.split("\n").slice(0, -1).map((line) =>
    line.length + 1 > maxOctets ? "too-long" : line.replace(/\r$/, "")
  );
}
