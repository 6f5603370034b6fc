import assert from "node:assert/strict";
import { readSecret, requireOnePipe } from "../../../src/cli/secret_sources.ts";
import type { CommandInput } from "../../../src/cli/terminal_input.ts";

function input(isTerminal: boolean): CommandInput {
  return {
    isTerminal,
    ask: () => Promise.reject(new Error("asked with echo")),
    askSecret: () => Promise.resolve("typed"),
    readAll: () => Promise.resolve("piped\r\n"),
  };
}

Deno.test("readSecret reads a file without its line end", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "in a file\n");
  assert.equal(await readSecret({ input: input(true), file }), "in a file");
  await Deno.remove(file);
});

Deno.test("readSecret reads standard input for a dash", async () => {
  assert.equal(await readSecret({ input: input(true), file: "-", question: "Secret?" }), "piped");
});

Deno.test("readSecret asks on a terminal only", async () => {
  assert.equal(await readSecret({ input: input(true), question: "Secret?" }), "typed");
  assert.equal(await readSecret({ input: input(false), question: "Secret?" }), undefined);
  assert.equal(await readSecret({ input: input(true) }), undefined);
});

Deno.test("readSecret names a file that can't be read", async () => {
  const secret = readSecret({ input: input(false), file: "/nowhere/secret" });
  await assert.rejects(secret, /Cannot read "\/nowhere\/secret": NotFound/);
});

Deno.test("requireOnePipe refuses two dashes", () => {
  requireOnePipe(["-", undefined, "file"]);
  assert.throws(() => requireOnePipe(["-", "-"]), /Only one secret/);
});
