/** Files that don't come to an end: pipes that somebody holds open and doesn't write to. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DaemonProcess } from "../support/daemon_process.ts";

const ignore = Deno.build.os === "windows";

async function makePipe(path: string): Promise<void> {
  const { success } = await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
  assert.ok(success);
}

/** Resolves when somebody reads the pipe. */
function openForReader(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true });
}

Deno.test({
  name: "A stop ends a start that hangs at config.json",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "xoauth2-proxy-pipe-" });
    const config = join(folder, "config.json");
    await makePipe(config);
    {
      await using daemon = await DaemonProcess.start({ config, waitsUntilReady: false });
      using _writer = await openForReader(config);
      assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "A stop ends a reload that hangs at the accounts file",
  ignore,
  async fn() {
    await using daemon = await DaemonProcess.start();
    const pipe = join(daemon.directory, "accounts.json");
    await Deno.remove(pipe);
    await makePipe(pipe);
    daemon.signal("SIGHUP");
    using _writer = await openForReader(pipe);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.ok(daemon.log.some(({ message }) => message.startsWith("Reload dropped after ")));
  },
});
