import assert from "node:assert/strict";
import fc from "fast-check";
import { MailDataScanner } from "../../../src/smtp/mail_data.ts";

const NORMALIZE = { bareNewline: "normalize", maxTextLineOctets: 0 } as const;
const encode = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const decode = (octets: Uint8Array) => String.fromCharCode(...octets);

/** Pushes `chunks` and returns what was forwarded, what was left over behind the end, and the fault. */
function scan(
  chunks: readonly string[],
  options: ConstructorParameters<typeof MailDataScanner>[0] = NORMALIZE,
) {
  const scanner = new MailDataScanner(options);
  let forwarded = "";
  let rest = "";
  for (const chunk of chunks) {
    if (scanner.ended) {
      rest += chunk;
      continue;
    }
    forwarded += decode(scanner.push(encode(chunk)));
    rest += chunk.slice(scanner.consumed);
  }
  return { forwarded, rest, ended: scanner.ended, fault: scanner.fault };
}

function splits(text: string): string[][] {
  return [[text], [...text], ...Array.from(text, (_, i) => [text.slice(0, i), text.slice(i)])];
}

/** RFC 5321 read literally over the whole input: the mail data as a receiver must understand it. */
function understand(input: string): string | undefined {
  const end = `\r\n${input}`.indexOf("\r\n.\r\n");
  if (end < 0) return undefined;
  const data = input.slice(0, end);
  const unstuffed = data.split("\r\n").map((line) => line.startsWith(".") ? line.slice(1) : line).join(
    "\r\n",
  );
  return unstuffed.replace(/\r(?!\n)|(?<!\r)\n/g, (bare) => bare === "\r" ? " " : "\r\n");
}

/** What a strict receiver makes of what was forwarded. */
function receive(forwarded: string): string | undefined {
  return understand(forwarded);
}

const ROWS: readonly (readonly [input: string, forwarded: string, why: string])[] = [
  ["a\r\n.\r\n", "a\r\n.\r\n", "canonical data pass unchanged"],
  [".\r\n", ".\r\n", "empty data end at once: the CRLF of DATA counts"],
  ["..\r\n.\r\n", "..\r\n.\r\n", "a stuffed dot stays stuffed"],
  [".a\r\n.\r\n", ".a\r\n.\r\n", "an unstuffed dot is the receiver's to remove"],
  ["a\n.\n\r\n.\r\n", "a\r\n..\r\n\r\n.\r\n", "LF.LF is content"],
  ["a\n.\r\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", "LF.CRLF is content"],
  ["a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n.\r\n", "CRLF.LF: transparency dot, then an LF"],
  ["a\r.\rb\r\n.\r\n", "a . b\r\n.\r\n", "CR.CR is content"],
  ["a\r\n.\rb\r\n.\r\n", "a\r\n. b\r\n.\r\n", "CRLF.CR is content"],
  ["a\r.\r\nb\r\n.\r\n", "a .\r\nb\r\n.\r\n", "CR.CRLF is content"],
  ["a\r\r\n.\r\n", "a \r\n.\r\n", "CRCRLF is a bare CR and a line end"],
  ["a\r\n.\r\r\nb\r\n.\r\n", "a\r\n. \r\nb\r\n.\r\n", "CRLF.CRCRLF is content"],
  ["a\n..b\r\n.\r\n", "a\r\n...b\r\n.\r\n", "behind a bare LF a dot is content and is stuffed"],
  ["a\r\n\0.\r\nb\r\n.\r\n", "a\r\n.\0.\r\nb\r\n.\r\n", "NUL dot: stuffed for whoever drops NULs"],
  ["a\r\n.\0\r\nb\r\n.\r\n", "a\r\n\0\r\nb\r\n.\r\n", "dot NUL: the transparency dot goes"],
  ["a\r\n\0b\r\n.\r\n", "a\r\n\0b\r\n.\r\n", "a NUL is kept"],
];

for (const [input, forwarded, why] of ROWS) {
  Deno.test(`MailDataScanner, at every split: ${why}`, () => {
    for (const chunks of splits(`${input}QUIT\r\n`)) {
      assert.deepEqual(
        scan(chunks),
        { forwarded, rest: "QUIT\r\n", ended: true, fault: undefined },
        JSON.stringify(chunks),
      );
    }
  });
}

Deno.test("MailDataScanner hands canonical chunks on without a copy", () => {
  const chunk = encode("Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n");
  const forwarded = new MailDataScanner(NORMALIZE).push(chunk);
  assert.equal(forwarded.buffer, chunk.buffer);
  assert.equal(forwarded.length, chunk.length);
});

Deno.test("MailDataScanner reports a bare CR or LF where they are refused", () => {
  for (const input of ["a\nb\r\n.\r\n", "a\rb\r\n.\r\n", "\n\r\n.\r\n", ".\n\r\n.\r\n", "a\r\r\n.\r\n"]) {
    for (const chunks of splits(input)) {
      const { fault, ended } = scan(chunks, { ...NORMALIZE, bareNewline: "reject" });
      assert.deepEqual({ fault, ended }, { fault: "bare-newline", ended: true }, JSON.stringify(chunks));
    }
  }
});

Deno.test("MailDataScanner counts a text line with its CRLF and without its transparency dot", () => {
  const limit = { bareNewline: "normalize", maxTextLineOctets: 10 } as const;
  assert.equal(scan(["12345678\r\n.\r\n"], limit).fault, undefined);
  assert.equal(scan([".12345678\r\n.\r\n"], limit).fault, undefined);
  assert.equal(scan(["123456789\r\n.\r\n"], limit).fault, "line-too-long");
  assert.equal(scan([..."123456789\r\n.\r\n"], limit).fault, "line-too-long");
});

Deno.test("MailDataScanner counts bare CRs and NULs as what else is in a line", () => {
  const options = { bareNewline: "normalize", maxTextLineOctets: 1000 } as const;
  for (const octet of ["x", "\r", "\0"]) {
    assert.equal(scan([`y${octet.repeat(998)}\r\n.\r\n`], options).fault, "line-too-long");
    assert.equal(scan([`${octet.repeat(999)}y\r\n.\r\n`], options).fault, "line-too-long");
    assert.equal(scan([`y${octet.repeat(996)}y\r\n.\r\n`], options).fault, undefined);
  }
  assert.equal(scan([`${"\0".repeat(999)}\r\n.\r\n`], options).fault, "line-too-long");
});

Deno.test("MailDataScanner refuses an endless run of NULs in bounded memory", () => {
  const { fault, ended } = scan(["\0".repeat(5000), "\r\n.\r\n"]);
  assert.deepEqual({ fault, ended }, { fault: "line-too-long", ended: true });
});

const octet = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("\r", "\n", ".", "\r\n", "\r\n.", "\0") },
  { weight: 3, arbitrary: fc.constantFrom("a", "b", "\xe4", " ") },
);

Deno.test("MailDataScanner forwards what RFC 5321 says, for any octets at any split", () => {
  fc.assert(
    fc.property(fc.array(octet, { maxLength: 40 }), fc.array(fc.nat(60), { maxLength: 6 }), (parts, cuts) => {
      const input = `${parts.join("")}\r\n.\r\n`;
      const at = [0, ...cuts.filter((cut) => cut < input.length).sort((a, b) => a - b), input.length];
      const chunks = at.slice(1).map((to, i) => input.slice(at[i], to)).filter((chunk) => chunk !== "");
      const { forwarded, rest, ended } = scan(chunks);
      assert.ok(ended);
      const consumed = input.slice(0, input.length - rest.length);
      assert.equal(receive(forwarded), understand(consumed));
      assert.ok(forwarded.endsWith("\r\n.\r\n") || forwarded === ".\r\n");
      assert.doesNotMatch(forwarded, /\r(?!\n)|(?<!\r)\n/, "a bare CR or LF went out");
      const withoutNuls = forwarded.replaceAll("\0", "");
      assert.equal(
        `\r\n${withoutNuls}`.indexOf("\r\n.\r\n"),
        withoutNuls.length - 3,
        "a reader that drops NULs sees an early end",
      );
    }),
    { numRuns: 3000 },
  );
});
