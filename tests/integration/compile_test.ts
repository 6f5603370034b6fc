/** A release: the bundle that binaries are made of needs nothing but itself, and what is joined with the runtime is right. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import { bundleProgram } from "../../deploy/compile.ts";
import { createProxyFiles } from "../../src/sandbox/proxy_files.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { bundleFlags } from "../support/stand_in_program.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));
/** Any ELF program can stand in for the runtime: packing doesn't run it. */
const standIn = "/bin/true";
const noStandIn = Deno.build.os === "linux" ? "" : " (skipped: the runtime's stand-in is a Linux program)";

const adminToken = "admin-token-of-a-test-admin-token-of-a-test";

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: readonly string[], options: Deno.CommandOptions = {}): Promise<Output> {
  const [program, ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program!, { args, ...options }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "xoauth2-proxy-compile-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Runs the bundle as a binary would run: no configuration, no cache, no registry, and the source tree out of bounds. */
function bundleCommand(bundle: string): [string, ...string[]] {
  return [Deno.execPath(), "run", ...bundleFlags(), `--deny-read=${repository}`, bundle];
}

async function compile(args: readonly string[], env: Record<string, string>): Promise<Output> {
  const task = [Deno.execPath(), "run", "--no-prompt", "-P=test", "deploy/compile.ts", ...args];
  return await run(task, { cwd: repository, env: { NO_COLOR: "1", ...env } });
}

Deno.test("The module graph of the program is src, deno.json and npm packages", async () => {
  const { stdout } = await run([Deno.execPath(), "info", "--json", "src/main.ts"], { cwd: repository });
  const { modules } = JSON.parse(stdout) as { modules: { specifier: string; error?: string }[] };
  const root = new URL("../../", import.meta.url).href;
  const strangers = modules.filter(({ specifier, error }) =>
    error !== undefined || !specifier.startsWith(`${root}src/`) && specifier !== `${root}deno.json` &&
      !specifier.startsWith("npm:") && !specifier.startsWith("node:")
  );
  assert.deepEqual(strangers, []);
  assert.ok(modules.length > 100);
});

Deno.test("The bundle relays a message and serves its API from an empty folder", async () => {
  await using folder = await temporaryFolder();
  const bundle = await bundleProgram(folder.path);
  await using sandbox = await startSandbox({ caFile: join(folder.path, "ca.pem") });
  const files = await createProxyFiles({ sandbox, accounts: [sandbox.account] });
  await using daemon = await DaemonProcess.start({
    command: bundleCommand(bundle),
    env: {
      DENO_DIR: join(folder.path, "cache"),
      NPM_CONFIG_REGISTRY: "http://127.0.0.1:9/",
      XOAUTH2_ADMIN_TOKEN: adminToken,
    },
    ...files,
  });
  using client = await SmtpTestClient.connect({ port: daemon.listener.port });
  await client.expect("220 *");
  await client.command("EHLO client.example", "250 *");
  const { email, password } = sandbox.account;
  await client.authPlain(email, password);
  const message = { from: email, to: ["someone@example.com"], data: "Subject: bundled\r\n\r\nHello" };
  assert.match(await client.send(message), /^250 /);
  const headers = { authorization: `Bearer ${adminToken}` };
  for (const path of ["/metrics", "/openapi.json", "/admin/status", "/admin/accounts"]) {
    const response = await fetch(`${daemon.adminUrl}${path}`, { headers });
    assert.equal(response.status, 200, path);
    assert.notEqual(await response.text(), "", path);
  }
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

Deno.test("The bundle's version names the program, Deno and V8", async () => {
  await using folder = await temporaryFolder();
  const command = [...bundleCommand(await bundleProgram(folder.path)), "version"];
  const env = { DENO_DIR: join(folder.path, "cache") };
  const { stdout } = await run([...command, "--json"], { env, cwd: folder.path });
  const { version, deno, v8 } = JSON.parse(stdout);
  assert.deepEqual([version, deno, v8], [project.version, Deno.version.deno, Deno.version.v8]);
  const human = (await run(command, { env, cwd: folder.path })).stdout;
  for (const number of [version, deno]) assert.ok(human.includes(number), human);
});

Deno.test({
  name: `compile joins bundle, permissions and flags with the runtime${noStandIn}`,
  ignore: noStandIn !== "",
  fn: async () => {
    await using folder = await temporaryFolder();
    const output = join(folder.path, "dist");
    const made = await compile(["--output", output, "linux-x64"], { DENORT_BIN: standIn });
    assert.equal(made.code, 0, made.stderr);
    const names = (await Array.fromAsync(Deno.readDir(output))).map(({ name }) => name).sort();
    assert.deepEqual(names, ["SHA256SUMS", "xoauth2-proxy-linux-x64"]);
    const checked = await run(["sha256sum", "--check", "SHA256SUMS"], { cwd: output });
    assert.equal(checked.stdout, "xoauth2-proxy-linux-x64: OK\n");
    const binary = new TextDecoder("latin1").decode(await Deno.readFile(join(output, names[1]!)));
    const baked = JSON.parse(/\{"argv":\[\].*?\}(?=[^\x20-\x7e])/s.exec(binary)![0]);
    const { allow_net, allow_sys, allow_run, allow_ffi, deny_import, prompt } = baked.permissions;
    assert.deepEqual({ allow_net, allow_sys, allow_run, allow_ffi, deny_import, prompt }, {
      allow_net: [],
      allow_sys: project.permissions.daemon.sys,
      allow_run: null,
      allow_ffi: null,
      deny_import: [],
      prompt: false,
    });
    assert.ok(baked.v8_flags.includes("--max-semi-space-size=8"));
    assert.deepEqual(baked.unstable_config.features, project.unstable);
    assert.ok(binary.includes(`"${project.version}"`) && binary.includes("8BITMIME"), "the bundle is in it");
  },
});

Deno.test("compile without a runtime says where to get one, and leaves no half release", async () => {
  await using folder = await temporaryFolder();
  const output = join(folder.path, "dist");
  const env = { DENORT_BIN: join(folder.path, "no-such-file") };
  const { code, stderr } = await compile(["--output", output, "windows-x64"], env);
  assert.equal(code, 1);
  assert.match(stderr, /^Cannot make xoauth2-proxy-windows-x64\.exe: /m);
  assert.match(stderr, /put it into the folder dl\/release\/v[\d.]+\/ of \$DENO_DIR/);
  await assert.rejects(Deno.stat(output), Deno.errors.NotFound);
});

Deno.test("compile refuses an unknown platform, and one runtime for several platforms", async () => {
  const unknown = await compile(["linux-x86"], {});
  assert.equal(unknown.code, 64);
  assert.match(unknown.stderr, /no platform "linux-x86"; it is one of linux-x64, linux-arm64, macos-x64/);
  const several = await compile([], { DENORT_BIN: standIn });
  assert.equal(several.code, 64);
  assert.match(several.stderr, /DENORT_BIN is the runtime of one platform/);
});
