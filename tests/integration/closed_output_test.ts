/** Standard output that nobody reads any more, as behind `| head -1`, or that can't be written. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ChildProcess } from "../support/child_process.ts";
import { DaemonProcess, programFromSource } from "../support/daemon_process.ts";
import { CliFixture } from "./cli_fixture.ts";

Deno.test({
  name: "A daemon whose standard output is closed goes on",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using daemon = await DaemonProcess.start({ args: ["--sandbox"], closesStdout: true });
    daemon.signal("SIGHUP");
    await daemon.waitForLog(({ message }) => message.startsWith("Reloaded"), "A reload");
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  },
});

Deno.test({
  name: "A daemon that fails when it has started drains, and ends with 1",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using daemon = await DaemonProcess.start({
      command: ["sh", "-c", 'exec "$@" > /dev/full', "sh", ...programFromSource()],
      args: ["--sandbox"],
    });
    assert.deepEqual(await daemon.exited, { code: 1, signal: null });
    const messages = daemon.log.map(({ message }) => message);
    const expected = [
      /^Unexpected failure, stopping: .*No space left/,
      /^Drain step sessions done/,
      /^Stopped in/,
    ];
    for (const pattern of expected) {
      assert.ok(messages.some((text) => pattern.test(text)), messages.join("\n"));
    }
  },
});

Deno.test({
  name: "A command whose standard output is closed ends quietly",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using fixture = await CliFixture.create();
    const env = { STATE_DIRECTORY: join(fixture.directory, "state") };
    for (const args of [["account", "list", ...fixture.options], ["--help"], ["version"]]) {
      const command = [...programFromSource(), ...args] as [string, ...string[]];
      await using child = ChildProcess.spawn({ command, env, closesStdout: true });
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      assert.doesNotMatch(child.lines.stderr.join("\n"), /error|broken pipe/i);
    }
  },
});
