import assert from "node:assert/strict";
import { join } from "node:path";
import { removeLeftovers, tryToWrite, writeFileAtomically } from "../../../src/accounts/atomic_file.ts";
import { withFileLock } from "../../../src/accounts/file_lock.ts";

async function temporaryFolder() {
  const folder = await Deno.makeTempDir();
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

const asRoot = Deno.build.os !== "windows" && Deno.uid() === 0;

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

const module = new URL("../../../src/accounts/atomic_file.ts", import.meta.url).href;

/** Runs a program in which nobody but root is known, as in a container without more users. */
function inUserNamespace(program: string): Deno.CommandOutput {
  const args = ["--user", "--map-root-user", Deno.execPath(), "eval", program];
  return new Deno.Command("unshare", { args }).outputSync();
}

const canUnshare = Deno.build.os === "linux" && Deno.uid() === 0 && inUserNamespace("").success;

Deno.test({
  name: "writeFileAtomically writes a file of an owner that isn't known here, root with user namespaces only",
  ignore: !canUnshare,
  async fn() {
    await using temporary = await temporaryFolder();
    const file = join(temporary.folder, "f.json");
    await Deno.writeTextFile(file, "old");
    await Deno.chown(file, 12345, 12345);
    const call = `await writeFileAtomically(${JSON.stringify(file)}, "new")`;
    const { stderr } = inUserNamespace(`import { writeFileAtomically } from "${module}"; ${call}`);
    assert.equal(await Deno.readTextFile(file), "new", new TextDecoder().decode(stderr));
  },
});

Deno.test({
  name: "writeFileAtomically gives a new file to the folder's owner, root only",
  ignore: !asRoot,
  async fn() {
    await using temporary = await temporaryFolder();
    await Deno.chown(temporary.folder, 12345, 12345);
    const file = join(temporary.folder, "f.json");
    await writeFileAtomically(file, "new");
    const { uid, gid, mode } = await Deno.stat(file);
    assert.deepEqual([uid, gid, mode! & 0o777], [12345, 12345, 0o600]);
  },
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
  const id = crypto.randomUUID();
  const others = [`.f.json.copy.${id}.tmp`, ".f.json.mine.tmp", `.g.json.${id}.tmp`, ".f.json"];
  for (const name of ["f.json", `.f.json.${id}.tmp`, ...others]) {
    await Deno.writeTextFile(join(temporary.folder, name), "");
  }
  await removeLeftovers(join(temporary.folder, "f.json"));
  assert.deepEqual(await names(temporary.folder), ["f.json", ...others].sort());
});

Deno.test("tryToWrite finds out whether there is room for a file's content, and leaves nothing behind", async () => {
  await using temporary = await temporaryFolder();
  await tryToWrite(join(temporary.folder, "f.json"));
  await assert.rejects(tryToWrite(join(temporary.folder, "missing", "f.json")), Deno.errors.NotFound);
  assert.deepEqual(await names(temporary.folder), []);
});

Deno.test({
  name: "withFileLock gives the lock to the file's owner, root only",
  ignore: !asRoot,
  async fn() {
    await using temporary = await temporaryFolder();
    const [file, lockFile] = [join(temporary.folder, "f.json"), join(temporary.folder, "f.json.lock")];
    await Deno.writeTextFile(file, "");
    await Deno.chown(file, 12345, 12345);
    const options = { lockFile, ownerOf: file, timeoutMs: 5000 };
    await withFileLock(() => Promise.resolve(), options);
    assert.equal((await Deno.stat(lockFile)).uid, 12345);
    const [precious, link] = [join(temporary.folder, "precious"), join(temporary.folder, "link")];
    await Deno.writeTextFile(precious, "");
    await Deno.symlink(precious, link);
    await withFileLock(() => Promise.resolve(), { ...options, lockFile: link });
    assert.equal((await Deno.stat(precious)).uid, 0, "nobody is given a file that a link leads to");
  },
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
