import assert from "node:assert/strict";
import { join } from "node:path";
import { removeLeftovers, writeFileAtomically } from "../../../src/accounts/atomic_file.ts";
import { withFileLock } from "../../../src/accounts/file_lock.ts";

async function temporaryFolder() {
  const folder = await Deno.makeTempDir();
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("writeFileAtomically replaces the content, with mode 0600 and nothing left beside it", async () => {
  await using temporary = await temporaryFolder();
  const file = join(temporary.folder, "f.json");
  await Deno.writeTextFile(file, "old", { mode: 0o644 });
  await writeFileAtomically(file, "new");
  assert.equal(await Deno.readTextFile(file), "new");
  assert.deepEqual(await names(temporary.folder), ["f.json"]);
  if (Deno.build.os !== "windows") assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
});

Deno.test("writeFileAtomically keeps a symbolic link and writes where it points", async () => {
  await using temporary = await temporaryFolder();
  const [file, link] = [join(temporary.folder, "f.json"), join(temporary.folder, "link.json")];
  await Deno.writeTextFile(file, "old");
  await Deno.symlink(file, link);
  await writeFileAtomically(link, "new");
  assert.equal(await Deno.readTextFile(file), "new");
  assert.ok((await Deno.lstat(link)).isSymlink);
});

Deno.test("writeFileAtomically keeps the owner when root writes", async () => {
  await using temporary = await temporaryFolder();
  const file = join(temporary.folder, "f.json");
  await Deno.writeTextFile(file, "old");
  const isRoot = Deno.uid() === 0;
  if (isRoot) await Deno.chown(file, 12345, 12345);
  await writeFileAtomically(file, "new");
  assert.equal((await Deno.stat(file)).uid, isRoot ? 12345 : Deno.uid());
});

Deno.test("writeFileAtomically leaves nothing behind when it fails", async () => {
  await using temporary = await temporaryFolder();
  const file = join(temporary.folder, "f.json");
  await Deno.mkdir(join(file, "in the way"), { recursive: true });
  await assert.rejects(writeFileAtomically(file, "new"));
  assert.deepEqual(await names(temporary.folder), ["f.json"]);
});

Deno.test("removeLeftovers clears what a killed writer left, and no more", async () => {
  await using temporary = await temporaryFolder();
  for (const name of ["f.json", ".f.json.123.tmp", ".g.json.123.tmp", ".f.json"]) {
    await Deno.writeTextFile(join(temporary.folder, name), "");
  }
  await removeLeftovers(join(temporary.folder, "f.json"));
  assert.deepEqual(await names(temporary.folder), [".f.json", ".g.json.123.tmp", "f.json"]);
});

Deno.test("withFileLock lets one in at a time", async () => {
  await using temporary = await temporaryFolder();
  const options = { lockFile: join(temporary.folder, "lock"), timeoutMs: 5000 };
  let inside = 0;
  let highest = 0;
  const work = async () => {
    highest = Math.max(highest, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside--;
  };
  await Promise.all(Array.from({ length: 10 }, () => withFileLock(work, options)));
  assert.equal(highest, 1);
});

Deno.test("withFileLock gives up in the end", async () => {
  await using temporary = await temporaryFolder();
  const options = { lockFile: join(temporary.folder, "lock"), timeoutMs: 20 };
  await withFileLock(async () => {
    await assert.rejects(withFileLock(() => Promise.resolve(), options), /another process/);
  }, options);
});
