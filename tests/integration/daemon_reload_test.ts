/** Reloads of the real daemon that fail half-way, or that change a listener on its own port. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChildProcess } from "../support/child_process.ts";
import { DaemonProcess, type LogEvent } from "../support/daemon_process.ts";

const linux = Deno.build.os === "linux";

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

interface Config {
  readonly listeners: readonly Readonly<Record<string, unknown>>[];
  readonly log?: Readonly<Record<string, unknown>>;
}

async function start(config: Config): Promise<DaemonProcess> {
  const daemon = await DaemonProcess.start();
  const file = join(daemon.directory, "config.json");
  await Deno.writeTextFile(file, JSON.stringify(config));
  daemon.signal("SIGHUP");
  await daemon.waitForLog(({ message }) => message.startsWith("Reloaded"), "The first reload's end");
  return daemon;
}

async function reload(daemon: DaemonProcess, config: Config): Promise<string> {
  const before = daemon.log.length;
  await Deno.writeTextFile(join(daemon.directory, "config.json"), JSON.stringify(config));
  daemon.signal("SIGHUP");
  const isEnd = /^(Reloaded|Cannot reload)/;
  const find = () => daemon.log.slice(before).find(({ message }) => isEnd.test(message));
  await daemon.waitForLog(() => find() !== undefined, "The reload's end");
  return find()!.message;
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

// The options of the fixture set port 0 for the first listener, so the second one is looked at.
const first = { host: "127.0.0.1" };

Deno.test({
  name: "A reload whose log file can't be opened leaves the listeners alone",
  ignore: Deno.build.os === "windows",
  async fn() {
    const [before, after] = [freePort(), freePort()];
    await using daemon = await start({ listeners: [first, { host: "127.0.0.1", port: before }] });
    const end = await reload(daemon, {
      listeners: [first, { host: "127.0.0.1", port: after }],
      log: { file: "/nonexistent-folder/proxy.log" },
    });
    assert.match(end, /Cannot reload: .*proxy\.log.* can't be opened for the log/);
    assert.deepEqual([await answers(before), await answers(after)], [true, false]);
  },
});

Deno.test({
  name: "A reload whose port is taken names the address and keeps the log where it was",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using daemon = await start({ listeners: [first] });
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const end = await reload(daemon, {
      listeners: [first, { host: "127.0.0.1", port }],
      log: { file: join(daemon.directory, "proxy.log") },
    });
    assert.match(end, new RegExp(`^Cannot reload: 127\\.0\\.0\\.1:${port} is in use`));
  },
});

Deno.test({
  name: "A reload changes host and security of a listener on its own port",
  ignore: !linux,
  async fn() {
    const port = freePort();
    await using daemon = await start({ listeners: [first, { host: "127.0.0.1", port }] });
    const end = await reload(daemon, { listeners: [first, { host: "0.0.0.0", port }] });
    assert.match(end, /^Reloaded/);
    assert.ok(await answers(port));
  },
});

for (const name of ["config.json", "accounts.json"]) {
  Deno.test({
    name: `A reload while ${name} is away is refused, and one when it is back is not`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const port = freePort();
      await using daemon = await DaemonProcess.start({
        config: { listeners: [first, { host: "127.0.0.1", port }] },
        accounts: [{ email: "a@example.com", provider: "gmail", client_id: "c", refresh_token: "T" }],
        findsFiles: true,
      });
      const file = join(daemon.directory, name);
      await Deno.rename(file, `${file}.old`);
      daemon.signal("SIGHUP");
      const isEnd = ({ message }: LogEvent) => /^(Reloaded|Cannot reload)/.test(message);
      const { message } = await daemon.waitForLog(isEnd, "The reload's end");
      assert.match(message, new RegExp(`^Cannot reload: .*${name}: .* \\(put it `));
      assert.ok(await answers(port));

      await Deno.rename(`${file}.old`, file);
      daemon.signal("SIGHUP");
      const { properties } = await daemon.waitForLog(
        (event) => event.message.startsWith("Reloaded"),
        "A reload",
      );
      assert.deepEqual(properties["difference"], {});
    },
  });
}

Deno.test("Reloads keep nothing of those before them", async () => {
  const program = fileURLToPath(new URL("daemon_reload_process.ts", import.meta.url));
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  await using child = ChildProcess.spawn({
    // Less than the accounts of all reloads would take, and more than twice what one reload needs.
    command: [
      Deno.execPath(),
      "run",
      "-q",
      "-A",
      "--config",
      config,
      "--v8-flags=--max-old-space-size=48",
      program,
    ],
  });
  const { code } = await child.exited;
  assert.equal(code, 0, child.lines.stderr.slice(-5).join("\n"));
  assert.deepEqual(child.lines.stdout, ["350 reloads, 0 warm-ups"]);
});
