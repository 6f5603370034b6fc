/** Mail data against anything: one end, the same for every server there is, wherever the octets are cut. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MailDataScanner } from "../../src/smtp/mail_data.ts";
import { type EndOfDataMode, EndOfDataScanner } from "../support/end_of_data.ts";
import { chunksOf, fuzz, octetsOf, storedInputs } from "./stored_inputs.ts";

const MODES: readonly EndOfDataMode[] = ["strict", "LF.LF", "LF.CRLF", "CR.CR", "CRLF.CR", "nul-stripping"];
const input = octetsOf("\r\n..\0a", 60);
const stored = storedInputs("mail_data");

Deno.test("MailDataScanner gives the same wherever the octets are cut", () => {
  fuzz(chunksOf(input), (chunks) => {
    const whole = scan([Uint8Array.from(Buffer.concat(chunks))]);
    assert.deepEqual(scan(chunks), whole);
  }, stored.map((octets) => [...octets].map((octet) => Uint8Array.of(octet))));
});

Deno.test("what MailDataScanner passes on ends where it says, for strict servers and for lax ones", () => {
  fuzz(input, (octets) => {
    const { passed, ended, fault } = scan([octets]);
    if (fault !== undefined) return; // refused: the end is never sent
    for (const mode of MODES) {
      const end = new EndOfDataScanner(mode).push(passed);
      // A server that takes CRLF.CR for the end sees it one octet early.
      const atEnd = end === passed.length || (mode === "CRLF.CR" && end === passed.length - 1);
      assert.ok(ended ? atEnd : end === undefined, `${mode} ended at ${end} of ${passed.length}`);
    }
  }, stored);
});

Deno.test("MailDataScanner changes nothing about canonical mail data", () => {
  const canonical = input.map((octets) =>
    Uint8Array.from(Buffer.from(
      `${
        Buffer.from(octets).toString("latin1").replace(/[\r\0]/g, "").replace(/\n/g, "\r\n").replace(
          /^\./gm,
          "..",
        )
      }x\r\n.\r\n`,
      "latin1",
    ))
  );
  fuzz(canonical, (octets) => {
    const { passed, ended } = scan([octets]);
    assert.ok(ended);
    assert.deepEqual(passed, octets);
  });
});

Deno.test("MailDataScanner in reject mode refuses what it would have to normalize", () => {
  fuzz(input, (octets) => {
    const { fault, consumed } = scan([octets], "reject");
    const text = Buffer.from(octets.subarray(0, consumed)).toString("latin1");
    if (fault === undefined) assert.doesNotMatch(text, /(?<!\r)\n|\r(?!\n|$)/);
  }, stored);
});

function scan(chunks: readonly Uint8Array[], bareNewline: "normalize" | "reject" = "normalize") {
  const scanner = new MailDataScanner({ bareNewline, maxTextLineOctets: 1000 });
  const passed: Uint8Array[] = [];
  let consumed = 0;
  for (const chunk of chunks) {
    if (scanner.ended) break;
    passed.push(scanner.push(chunk).slice());
    consumed += scanner.consumed;
  }
  return {
    passed: Uint8Array.from(Buffer.concat(passed)),
    ended: scanner.ended,
    fault: scanner.fault,
    consumed,
  };
}
