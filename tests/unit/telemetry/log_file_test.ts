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
  name: "LogFile makes a file that was removed anew when it would have been full",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using log = await temporaryLog();
    using file = await log.open();
    await write(file, "a");
    await Deno.remove(log.path);
    await write(file, "b");
    assert.match(await Deno.readTextFile(log.path), /^b+$/);
    assert.deepEqual(log.failures, []);
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

Deno.test("LogFile that can't be opened after it was put aside is opened when it can be", async () => {
  await using log = await temporaryLog();
  using file = await log.open();
  await write(file, "a");
  await Deno.remove(log.path);
  await Deno.mkdir(join(log.path, "in the way"), { recursive: true });
  await Deno.mkdir(join(`${log.path}.1`, "in the way"), { recursive: true });
  await Deno.mkdir(join(`${log.path}.2`, "in the way"), { recursive: true });
  await assert.rejects(write(file, "b"));
  await Deno.remove(log.path, { recursive: true });
  await write(file, "c");
  assert.match(await Deno.readTextFile(log.path), /^c+$/);
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
