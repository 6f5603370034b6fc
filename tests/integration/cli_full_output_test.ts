/** Standard output on a full disk: what a command had to say is lost, which it says elsewhere. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ChildProcess } from "../support/child_process.ts";
import { programFromSource } from "../support/daemon_process.ts";
import { newAccount } from "./admin_fixture.ts";
import { CliFixture } from "./cli_fixture.ts";

Deno.test({
  name: "A command whose standard output can't be written says so in a line, and ends with 1",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const account = newAccount("a@example.com", { provider: "gmail" });
    await using fixture = await CliFixture.create({}, [account]);
    const before = await fixture.records();
    const setPassword = ["account", "set-password", "a@example.com", "--generate", ...fixture.options];
    const commandLines = [
      ["--help"],
      ["version", "--json"],
      ["account", "encrypt", "--generate-key"],
      ["account", "list", "--json", ...fixture.options],
      setPassword,
      [...setPassword, "--json"],
    ];
    for (const args of commandLines) {
      const command = ["sh", "-c", 'exec "$@" > /dev/full', "sh", ...programFromSource(), ...args] as const;
      const env = { STATE_DIRECTORY: join(fixture.directory, "state") };
      await using child = ChildProcess.spawn({ command, env });
      assert.deepEqual(await child.exited, { code: 1, signal: null });
      const [line = "", ...more] = child.lines.stderr.filter((text) =>
        text !== "" && !text.includes("config file")
      );
      assert.match(line, /^error: Cannot write to standard output: No space left on device/);
      assert.deepEqual(more, []);
    }
    // A password that nobody has seen would lock the clients out.
    assert.deepEqual(await fixture.records(), before);
  },
});
