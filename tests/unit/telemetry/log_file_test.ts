import assert from "node:assert/strict";
import { join } from "node:path";
import { LogFile } from "../../../src/telemetry/log_file.ts";

const encoder = new TextEncoder();

/** A log file of 1,000 octets in a folder of its own. */
async function temporaryLog() {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "proxy.log");
  const failures: Error[] = [];
  const onRotationFailure = (error: Error) => failures.push(error);
  return {
    path,
    failures,
    open: () => LogFile.open({ path, maxOctets: 1_000, maxFiles: 2, onRotationFailure }),
    names: () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function write(file: LogFile, letter: string): Promise<number> {
  return file.write(encoder.encode(letter.repeat(600)));
}

Deno.test("LogFile puts full files aside and keeps as many as it should", async () => {
  await using log = await temporaryLog();
  using file = await log.open();
  for (const letter of "abcd") await write(file, letter);
  assert.deepEqual(log.names(), ["proxy.log", "proxy.log.1", "proxy.log.2"]);
  const contents = await Promise.all(["", ".1", ".2"].map((end) => Deno.readTextFile(log.path + end)));
  assert.deepEqual(contents.map(([letter]) => letter), ["d", "c", "b"]);
  assert.deepEqual(log.failures, []);
});

Deno.test({
  name: "LogFile makes a file that was removed anew",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using log = await temporaryLog();
    using file = await log.open();
    await file.write(encoder.encode("a"));
    await Deno.remove(log.path);
    await file.write(encoder.encode("b"));
    assert.equal(await Deno.readTextFile(log.path), "b");
    assert.deepEqual(log.failures, []);
  },
});

Deno.test({
  name: "LogFile follows when the log that had the file before puts it aside",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using log = await temporaryLog();
    using before = await log.open();
    await write(before, "a");
    using after = await log.open();
    await write(before, "b");
    await after.write(encoder.encode("c"));
    assert.match(await Deno.readTextFile(log.path), /^b+c$/);
  },
});

Deno.test("LogFile that can't be put aside grows on, and is tried again after as much once more", async () => {
  await using log = await temporaryLog();
  await Deno.mkdir(join(`${log.path}.1`, "in the way"), { recursive: true });
  await Deno.mkdir(join(`${log.path}.2`, "in the way"), { recursive: true });
  using file = await log.open();
  for (const letter of "abc") await write(file, letter);
  assert.equal((await Deno.stat(log.path)).size, 1_800);
  assert.equal(log.failures.length, 2);
});

Deno.test({
  name: "LogFile that was moved away goes on where it is, as long as it can't be made anew",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using log = await temporaryLog();
    using file = await log.open();
    await file.write(encoder.encode("a"));
    await Deno.rename(log.path, `${log.path}.moved`);
    await Deno.mkdir(log.path);
    await file.write(encoder.encode("b"));
    await Deno.remove(log.path);
    await file.write(encoder.encode("c"));
    assert.equal(await Deno.readTextFile(`${log.path}.moved`), "ab");
    assert.equal(await Deno.readTextFile(log.path), "c");
  },
});

Deno.test({
  name: "LogFile leaves a device where it is",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using log = await temporaryLog();
    await Deno.symlink("/dev/null", log.path);
    using file = await log.open();
    for (const letter of "abc") await write(file, letter);
    assert.deepEqual(log.names(), ["proxy.log"]);
  },
});
