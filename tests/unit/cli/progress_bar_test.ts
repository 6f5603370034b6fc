import assert from "node:assert/strict";
import { ProgressBar } from "../../../src/cli/progress_bar.ts";

function draw(total: number, { isTerminal }: { readonly isTerminal: boolean }): string {
  let drawn = "";
  const output = {
    writeSync(octets: Uint8Array) {
      drawn += new TextDecoder().decode(octets);
      return octets.length;
    },
  };
  {
    using bar = new ProgressBar(total, { isTerminal, output });
    for (let done = 0; done < total; done++) bar.advance();
  }
  return drawn;
}

Deno.test("ProgressBar fills on a terminal, and clears its line", () => {
  const drawn = draw(2, { isTerminal: true });
  assert.deepEqual(drawn.split("\r").slice(1), [
    `[${".".repeat(30)}] 0 of 2`,
    `[${"#".repeat(15)}${".".repeat(15)}] 1 of 2`,
    `[${"#".repeat(30)}] 2 of 2`,
    "\x1b[K",
  ]);
});

Deno.test("ProgressBar draws nothing elsewhere, or for a single thing", () => {
  assert.equal(draw(2, { isTerminal: false }), "");
  assert.equal(draw(1, { isTerminal: true }), "");
});
