import assert from "node:assert/strict";
import { join } from "node:path";
import { SharedFile } from "../../../src/accounts/shared_file.ts";

/** A file of lines; `at` opens it once more, under another name. */
async function linesFile() {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "lines.txt");
  const at = (path: string) =>
    new SharedFile<string[]>({
      path,
      parse: (text = "") => text.split("\n").slice(0, -1),
      serialize: (lines) => lines.map((line) => `${line}\n`).join(""),
    });
  return {
    folder,
    path,
    file: at(path),
    at,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("SharedFile writes an edit that comes at the moment in which the one before it ends", async () => {
  await using lab = await linesFile();
  await lab.file.edit((lines) => void lines.push("first"));
  await lab.file.edit((lines) => void lines.push("second"));
  await lab.file.settled();
  assert.deepEqual(await lab.file.read(), ["first", "second"]);
});

Deno.test("SharedFile loses no edit of those who come over a link", async () => {
  await using lab = await linesFile();
  await lab.file.edit((lines) => void lines.push("first"));
  const link = join(lab.folder, "link.txt");
  await Deno.symlink(lab.path, link);
  const linked = lab.at(link);
  for (let count = 0; count < 20; count++) {
    const edits = [lab.file, linked].map((file) => file.edit((lines) => void lines.push(`${count}`)));
    await Promise.all(edits);
  }
  assert.equal((await lab.file.read()).length, 41);
});

Deno.test("SharedFile forgets what a change did that then threw", async () => {
  await using lab = await linesFile();
  await lab.file.edit((lines) => void lines.push("first"));
  const failing = lab.file.edit((lines) => {
    lines.push("half");
    throw new Error("midway");
  });
  await assert.rejects(failing, /midway/);
  await lab.file.edit((lines) => void lines.push("second"));
  assert.deepEqual(await lab.file.read(), ["first", "second"]);
});

Deno.test("SharedFile.requireWritable takes no read-only file for one that can be written", async () => {
  await using lab = await linesFile();
  await lab.file.requireWritable();
  await lab.file.edit((lines) => void lines.push("first"));
  await Deno.chmod(lab.path, 0o400);
  await assert.rejects(lab.file.requireWritable(), /read-only/);
});
