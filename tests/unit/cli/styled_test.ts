import assert from "node:assert/strict";
import { jsonLine } from "../../../src/cli/json_line.ts";
import { printable } from "../../../src/cli/styled.ts";

const cases: readonly [text: string, onTerminal: string, elsewhere: string][] = [
  ["a\tb\nmüller €", "a\tb\nmüller €", "a\tb\nmüller €"],
  ["\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"],
  ["\x1b[2J\x1b]0;title\x07", "\ufffd[2J\ufffd]0;title\ufffd", "\ufffd[2J\ufffd]0;title\ufffd"],
  ["\x9b31m\rx\x7f", "\ufffd31m\ufffdx\ufffd", "\ufffd31m\ufffdx\ufffd"],
  ["\u202egnp.exe\u2066\u2028", "\ufffdgnp.exe\ufffd\ufffd", "\ufffdgnp.exe\ufffd\ufffd"],
];

for (const [text, onTerminal, elsewhere] of cases) {
  Deno.test(`printable leaves nothing for a terminal to obey in ${JSON.stringify(text)}`, () => {
    assert.equal(printable(text, true), onTerminal);
    assert.equal(printable(text, false), elsewhere);
  });
}

Deno.test("jsonLine reads back the same and has nothing that a terminal obeys", () => {
  const value = { text: "\x1b[2J \x7f \x9b \u2028 \u202e ä €" };
  const line = jsonLine(value);
  assert.deepEqual(JSON.parse(line), value);
  assert.equal(printable(line, true), line);
});
