import assert from "node:assert/strict";
import type { AccountsReport } from "../../../src/cli/check.ts";
import { type ProgramOptions, runProgram } from "../../../src/cli/program.ts";
import type { StartSettings } from "../../../src/config/start_setting.ts";

/** Runs a command line with a daemon and accounts of the test's own. */
async function run(args: readonly string[], rest: Partial<ProgramOptions> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const started: StartSettings[] = [];
  const report: AccountsReport = { accounts: 3, faults: [], warnings: [] };
  const status = await runProgram(args, {
    env: {},
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    isTerminal: false,
    runDaemon: (settings) => {
      started.push(settings);
      return Promise.resolve(75);
    },
    validateAccounts: () => Promise.resolve(report),
    ...rest,
  });
  return { status, out: out.join("\n"), err: err.join("\n"), started };
}

async function configFile(config: unknown) {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(path, JSON.stringify(config));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

Deno.test("runProgram starts the daemon when no command is named", async () => {
  const { status, started } = await run(["--port", "0", "--admin-only", "--shutdown-timeout", "2.5"]);
  assert.equal(status, 75);
  assert.deepEqual(started, [{ port: 0, adminOnly: true, shutdownTimeout: 2.5 }]);
});

Deno.test("runProgram hands every option of start over", async () => {
  const args =
    "start --config c --accounts a --host h --port 1 --admin-host g --admin-port 2 --admin-only --dry-run " +
    "--shutdown-timeout 3 --log-level DEBUG --log-format json --log-file l --sandbox";
  const { started } = await run(args.split(" "));
  assert.deepEqual(started, [{
    config: "c",
    accounts: "a",
    host: "h",
    port: 1,
    adminHost: "g",
    adminPort: 2,
    adminOnly: true,
    dryRun: true,
    shutdownTimeout: 3,
    logLevel: "debug",
    logFormat: "json",
    logFile: "l",
    sandbox: true,
  }]);
});

const misuses: readonly [args: string[], message: RegExp][] = [
  [["--port", "x"], /argument 'x' is invalid\. It must be a port from 0 to 65535/],
  [["--port"], /argument missing/],
  [["--prot", "1"], /unknown option '--prot'[\s\S]*--port/],
  [["statr"], /unknown command "statr" \(did you mean "start"\?\)/],
  [["nonsense"], /unknown command "nonsense" \(commands are start, check, version, help\)/],
  [["start", "nonsense"], /too many arguments/],
  [["--log-level", "loud"], /one of trace, debug/],
  [["--shutdown-timeout", "-1"], /invalid/],
];

for (const [args, message] of misuses) {
  Deno.test(`runProgram ends with 64 for: ${args.join(" ")}`, async () => {
    const { status, err, started } = await run(args);
    assert.equal(status, 64);
    assert.match(err, message);
    assert.deepEqual(started, []);
  });
}

for (
  const args of [["--help"], ["start", "--help"], ["check", "--help"], ["version", "--help"], [
    "help",
    "check",
  ]]
) {
  Deno.test(`runProgram shows an example for: ${args.join(" ")}`, async () => {
    const { status, out } = await run(args);
    assert.equal(status, 0);
    assert.match(out, /Examples?:\n {2}xoauth2-proxy/);
  });
}

Deno.test("runProgram names the variable of each option in the help", async () => {
  const { out } = await run(["start", "--help"]);
  assert.match(out, /\[XOAUTH2_SHUTDOWN_TIMEOUT\]/);
});

Deno.test("version prints JSON when asked", async () => {
  const { out } = await run(["version", "--json"]);
  const { version, deno } = JSON.parse(out);
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.equal(deno, Deno.version.deno);
  assert.ok((await run(["version"])).out.startsWith(`xoauth2-proxy ${version} (Deno ${deno}`));
});

Deno.test("check ends with 78 and names file, path and hint of each fault", async () => {
  await using config = await configFile({ listeners: [{ port: "25", prot: 1 }] });
  const { status, out } = await run(["check", "--config", config.path]);
  assert.equal(status, 78);
  assert.ok(out.startsWith(`fault  ${config.path}: listeners[0].port\n  must be a whole number`));
  assert.match(out, /hint: without quotes/);
  assert.match(out, /warning {2}.*listeners\[0\]\.prot\n/);
  assert.match(out, /The daemon can't start: 1 fault, 1 warning$/);
});

Deno.test("check prints the same as JSON", async () => {
  await using config = await configFile({
    listeners: [{ security: "tls", certificate_file: "no.pem", private_key_file: "no.pem" }],
  });
  const { status, out } = await run(["check", "--json", "--config", config.path]);
  assert.equal(status, 78);
  const report = JSON.parse(out);
  assert.equal(report.valid, false);
  assert.equal(report.config_file, config.path);
  assert.deepEqual(report.faults.map(({ path }: { path: string }) => path), [
    "listeners[0].certificate_file",
    "listeners[0].private_key_file",
  ]);
});

Deno.test("check adds what accounts have wrong", async () => {
  await using config = await configFile({});
  const fault = { file: "accounts.json", path: "[0].email", message: "is missing", hint: "add it" };
  const validateAccounts = () => Promise.resolve({ accounts: 0, faults: [fault], warnings: [] });
  const { status, out } = await run(["check", "--config", config.path], { validateAccounts });
  assert.equal(status, 78);
  assert.match(out, /fault {2}accounts\.json: \[0\]\.email\n {2}is missing\n {2}hint: add it/);
});

Deno.test("check ends with 0 when the daemon could start", async () => {
  await using config = await configFile({});
  const { status, out } = await run(["check", "--config", config.path], {
    env: { XOAUTH2_ACCOUNTS: "/a.json" },
  });
  assert.equal(status, 0);
  assert.match(out, /accounts {2}\S*a\.json \(3 usable\)\nThe daemon can start: 0 faults, 0 warnings$/);
});

Deno.test("check paints only for a terminal", async () => {
  await using config = await configFile({});
  const { out } = await run(["check", "--config", config.path], { isTerminal: true });
  assert.equal(out.includes("\x1b["), !Deno.noColor);
});

Deno.test("runProgram lets unexpected failures through", async () => {
  const failure = new Error("boom");
  await assert.rejects(run(["start"], { runDaemon: () => Promise.reject(failure) }), failure);
});
