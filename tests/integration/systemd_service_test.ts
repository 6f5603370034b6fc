import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { fixtureArguments } from "./lifecycle_process.ts";
import { dropInDirectory, shippedUnit, SystemdNamespace, whySkipped } from "./systemd_namespace.ts";

const skipped = whySkipped();
const wordFile = "/etc/xoauth2-proxy/word";

function boot(work: string, ...settings: string[]): Promise<SystemdNamespace> {
  return SystemdNamespace.boot(fixtureArguments(work), [`Environment=RELOAD_FILE=${wordFile}`, ...settings]);
}

function test(name: string, fn: () => Promise<void>): void {
  const label = skipped === undefined ? name : `${name} (skipped: ${skipped})`;
  Deno.test({ name: label, ignore: skipped !== undefined, fn });
}

test("systemd starts the unit when it is READY, stops it cleanly and has the story in its journal", async () => {
  await using systemd = await boot("idle");
  assert.deepEqual(await systemd.run("systemctl", "start", "xoauth2-proxy"), { code: 0, output: "" });
  assert.equal(await systemd.property("StatusText"), "Running");
  assert.deepEqual(await systemd.run("systemctl", "stop", "xoauth2-proxy"), { code: 0, output: "" });
  await systemd.journal(/^Received SIGTERM$/);
  await systemd.journal(/^Stopped in [\d.]+ ms, exit 0: /);
  assert.equal(await systemd.property("Result"), "success");
  assert.equal(await systemd.property("ExecMainStatus"), "0");
});

test("systemd waits for READY, and a stop ends the start-up", async () => {
  await using systemd = await boot("starting");
  await systemd.run("systemctl", "start", "--no-block", "xoauth2-proxy");
  await systemd.journal(/^pid /);
  assert.equal(await systemd.property("ActiveState"), "activating");
  await systemd.run("systemctl", "stop", "xoauth2-proxy");
  await systemd.journal(/^Stopped in [\d.]+ ms, exit 0: /);
  assert.equal(await systemd.property("ActiveState"), "inactive");
});

test("systemd reloads the unit, and shows in its status why a reload was refused", async () => {
  await using systemd = await boot("idle");
  await systemd.write(wordFile, "fine");
  await systemd.run("systemctl", "start", "xoauth2-proxy");
  assert.equal((await systemd.run("systemctl", "reload", "xoauth2-proxy")).code, 0);
  await systemd.journal(/^Reloaded in/);
  await systemd.write(wordFile, "broken");
  assert.equal((await systemd.run("systemctl", "reload", "xoauth2-proxy")).code, 0);
  await systemd.journal(/^Cannot reload: The word is broken$/);
  await systemd.journal(/^Reloaded xoauth2-proxy.service/);
  const { output } = await systemd.run("systemctl", "status", "xoauth2-proxy");
  assert.match(output, /Active: active \(running\)/);
  assert.match(output, /Status: "Running unchanged; reload refused: The word is broken"/);
});

test("systemd's watchdog restarts a process whose event loop hangs", async () => {
  await using systemd = await boot("frozen", "WatchdogSec=1", "RestartSec=100ms");
  await systemd.run("systemctl", "start", "xoauth2-proxy");
  await systemd.journal(/Watchdog timeout/);
  await systemd.journal(/Failed with result 'watchdog'/);
  await systemd.journal(/^ready$/, 2);
  assert.match(await systemd.property("NRestarts"), /^[1-9]/);
});

test("systemd restarts a process that failed", async () => {
  await using systemd = await boot("rejection", "RestartSec=100ms");
  await systemd.run("systemctl", "start", "xoauth2-proxy");
  await systemd.journal(/^Stopped in [\d.]+ ms, exit 1: /);
  await systemd.journal(/^ready$/, 2);
  assert.match(await systemd.property("NRestarts"), /^[1-9]/);
});

test("systemd doesn't restart a process with an unusable configuration", async () => {
  await using systemd = await boot("unusable", "RestartSec=100ms");
  assert.equal((await systemd.run("systemctl", "start", "xoauth2-proxy")).code, 1);
  await systemd.journal(/Failed with result 'exit-code'/);
  assert.equal(await systemd.property("ExecMainStatus"), "78");
  assert.equal(await systemd.property("ActiveState"), "failed");
  assert.equal(await systemd.property("NRestarts"), "0");
});

test("systemd waits for a drain that is longer than TimeoutStopSec=", async () => {
  const settings = ["TimeoutStopSec=1", "Environment=SHUTDOWN_TIMEOUT_MS=2500"];
  await using systemd = await boot("cut", ...settings);
  await systemd.run("systemctl", "start", "xoauth2-proxy");
  await systemd.run("systemctl", "stop", "xoauth2-proxy");
  await systemd.journal(/exit 75: .*cut 1: session 1$/);
  assert.equal(await systemd.property("ExecMainStatus"), "75");
});

test("systemd runs the daemon itself with everything that the unit forbids", async () => {
  const program = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const options = ["start", "--sandbox", "--port", "0", "--admin-port", "0"];
  const args = ["run", "--no-prompt", "--quiet", "--cached-only", "-P=daemon", program, ...options];
  await using systemd = await SystemdNamespace.boot(args);
  const started = await systemd.run("systemctl", "start", "xoauth2-proxy");
  assert.equal(started.code, 0, (await systemd.run("journalctl", "--unit=xoauth2-proxy")).output);
  assert.match(await systemd.property("StatusText"), /^Ready: 127\.0\.0\.1:\d+/);
  const [, port] = /--server 127\.0\.0\.1:(\d+)/.exec(await systemd.journal(/--server/)) ?? [];
  using client = await SmtpTestClient.connect({ port: Number(port) });
  await client.expect("220 *");
  assert.equal((await systemd.run("systemctl", "reload", "xoauth2-proxy")).code, 0);
  await systemd.journal(/Reloaded in/);
  assert.deepEqual(await systemd.run("systemctl", "stop", "xoauth2-proxy"), { code: 0, output: "" });
  await client.expect("421 4.3.2 *");
  assert.equal(await systemd.property("ExecMainStatus"), "0");
  assert.equal(await systemd.property("Result"), "success");
});

test("systemd finds nothing wrong with the unit, and little exposed", async () => {
  await using systemd = await boot("idle");
  await systemd.run("rm", "-r", dropInDirectory);
  await systemd.run("install", "-m", "755", "/bin/true", "/usr/bin/xoauth2-proxy");
  assert.deepEqual(await systemd.run("systemd-analyze", "verify", shippedUnit), { code: 0, output: "" });
  const { output } = await systemd.run(
    "systemd-analyze",
    "security",
    "--offline=true",
    "--no-pager",
    shippedUnit,
  );
  const level = Number(/exposure level for \S+: ([\d.]+)/.exec(output)?.[1]);
  assert.ok(level < 3, output);
});
