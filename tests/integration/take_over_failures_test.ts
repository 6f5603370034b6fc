/** `start --take-over` from a predecessor that ends by itself, never ends, or leaves accounts that can't be read. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DaemonProcess } from "../support/daemon_process.ts";
import { standIn } from "../support/stand_in_daemon.ts";

const ignore = Deno.build.os !== "linux";

async function startAt(port: number, args: readonly string[] = []): Promise<DaemonProcess> {
  return await DaemonProcess.start({
    args: ["--take-over", "--admin-port", String(port), ...args],
    env: { XOAUTH2_ADMIN_TOKEN: "a".repeat(43) },
    waitsUntilReady: false,
  });
}

Deno.test({
  name: "A predecessor that ends between the question and the order to stop counts as gone",
  ignore,
  async fn() {
    await using first = standIn((path, close) => path === "/admin/status" && close());
    await using daemon = await startAt(first.port);
    await daemon.waitUntilReady();
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  },
});

Deno.test({
  name: "A newcomer gives up on a predecessor that never ends",
  ignore,
  async fn() {
    await using first = standIn(() => {});
    await using daemon = await startAt(first.port, ["--shutdown-timeout", "0.1"]);
    assert.deepEqual(await daemon.exited, { code: 1, signal: null });
    const said = daemon.log.map(({ message }) => message).filter((text) => text.startsWith("Cannot start: "));
    assert.match(said.join("\n"), /pid 1 is still there 3\.1 s after it was told to stop/);
  },
});

Deno.test({
  name: "A newcomer that can't read the accounts after the take-over drains and ends with 78",
  ignore,
  async fn() {
    let directory = "";
    await using first = standIn((path, close) => {
      if (path !== "/admin/shutdown") return;
      Deno.writeTextFileSync(join(directory, "accounts.json"), "[ broken");
      close();
    });
    await using folder = await temporaryFolder();
    directory = folder.path;
    const accounts = join(directory, "accounts.json");
    await Deno.writeTextFile(accounts, "[]", { mode: 0o600 });
    await using daemon = await DaemonProcess.start({
      accounts,
      args: ["--take-over", "--admin-port", String(first.port)],
      env: { XOAUTH2_ADMIN_TOKEN: "a".repeat(43) },
      waitsUntilReady: false,
    });
    assert.deepEqual(await daemon.exited, { code: 78, signal: null });
    const messages = daemon.log.map(({ message }) => message);
    assert.ok(messages.some((text) => text.startsWith("Cannot start: ")), messages.join("\n"));
    assert.ok(messages.some((text) => text.startsWith("Drain step sessions done")), messages.join("\n"));
    assert.match(messages.at(-1)!, /^Stopped in .* ms, exit 78: /);
  },
});

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "xoauth2-proxy-take-over-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
