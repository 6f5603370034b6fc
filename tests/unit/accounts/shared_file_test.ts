import assert from "node:assert/strict";
import { join } from "node:path";
import { SharedFile } from "../../../src/accounts/shared_file.ts";

Deno.test("SharedFile writes an edit that comes at the moment in which the one before it ends", async () => {
  const folder = await Deno.makeTempDir();
  await using _removed = {
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
  const file = new SharedFile<string[]>({
    path: join(folder, "lines.txt"),
    parse: (text = "") => text.split("\n").slice(0, -1),
    serialize: (lines) => lines.map((line) => `${line}\n`).join(""),
  });
  await file.edit((lines) => void lines.push("first"));
  await file.edit((lines) => void lines.push("second"));
  await file.settled();
  assert.deepEqual(await file.read(), ["first", "second"]);
});
