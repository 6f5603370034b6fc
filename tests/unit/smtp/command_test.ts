import assert from "node:assert/strict";
import { parseCommand } from "../../../src/smtp/command.ts";

const octets = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

const COMMANDS: readonly (readonly [line: string, verb: string, argument: string, why: string])[] = [
  ["NOOP", "NOOP", "", "a verb alone"],
  ["noop", "NOOP", "", "verbs are in any case (RFC 5321 §2.4)"],
  ["MAIL FROM:<a@b>", "MAIL", "FROM:<a@b>", "the argument keeps its case"],
  ["EHLO  x ", "EHLO", "x", "blanks around the argument don't count"],
  ["NOOP   ", "NOOP", "", "nor do blanks at the end"],
  ["QUIT\t", "QUIT", "", "nor does a tab"],
  ["NOOP x\xc2\xa0", "NOOP", "x\xa0", "a no-break space is a character like others"],
  ["XCLIENT2 a\tb", "XCLIENT2", "a\tb", "a tab is no line end"],
];

for (const [line, verb, argument, why] of COMMANDS) {
  Deno.test(`parseCommand reads ${JSON.stringify(line)}: ${why}`, () => {
    assert.deepEqual(parseCommand(octets(line)), { verb, argument });
  });
}

const FAULTS: readonly (readonly [line: string, fault: RegExp, why: string])[] = [
  ["", /not recognized/, "nothing"],
  [" NOOP", /not recognized/, "a blank in front"],
  ["MAIL\0", /Control/, "NUL"],
  ["MAIL\rRCPT", /Control/, "a bare CR"],
  ["NOOP \x7f", /Control/, "DEL"],
  ["NOOP \x1b[2J", /Control/, "an escape sequence, which a log would obey"],
  ["MA-IL", /not recognized/, "punctuation in the verb"],
  ["A".repeat(33), /not recognized/, "a verb beyond any"],
  ["NOOP \xff", /UTF-8/, "octets that are no UTF-8 (RFC 6531 §3.7.1)"],
  ["M\xc3\x84IL", /not recognized/, "a verb that isn't ASCII"],
  ["QU\xc4\xb1T", /not recognized/, "a dotless i, which is an I in upper case"],
  ["QUIT\xc2\xa0", /not recognized/, "a blank that isn't ASCII"],
];

for (const [line, fault, why] of FAULTS) {
  Deno.test(`parseCommand refuses ${JSON.stringify(line.slice(0, 20))}: ${why}`, () => {
    const result = parseCommand(octets(line));
    assert.ok("fault" in result);
    assert.match(result.fault, fault);
  });
}
