/** The Debian package, around a stand-in for the compiled program: the same bundle, run by the Deno that is here. */

import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { buildDebianPackage } from "../../deploy/debian/build.ts";
import { createProxyFiles } from "../../src/sandbox/proxy_files.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import { DebianMachine, whyNoDebianMachine } from "../support/debian_machine.ts";
import { writeStandIn } from "../support/stand_in_program.ts";
import { arrivedIds, SteadySenders } from "../support/steady_senders.ts";

const newVersion = `${project.version}+next`;
/** Where the stand-in finds Deno inside the machine; /root and /home are hidden from the service. */
const denoInside = "/usr/lib/xoauth2-test/deno";
const outside = "/run/xoauth2-test";
const service = "xoauth2-proxy";

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function lines(command: string, ...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await new Deno.Command(command, { args }).output();
  return [stdout, stderr].flatMap((octets) => new TextDecoder().decode(octets).split("\n")).filter(Boolean);
}

function isInstalled(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync()
    .success;
}

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "xoauth2-proxy-deb-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function test(name: string, reason: string | undefined, fn: () => Promise<void>): void {
  const label = reason === undefined ? name : `${name} (skipped: ${reason})`;
  Deno.test({ name: label, ignore: reason !== undefined, fn });
}

const missing = Deno.build.os === "linux"
  ? ["dpkg-deb", "lintian"].find((program) => !isInstalled(program))
  : "dpkg-deb";

test(
  "lintian finds no error in the package, and its files are root's",
  missing && `no ${missing}`,
  async () => {
    await using folder = await temporaryFolder();
    const program = await writeStandIn(folder.path, denoInside);
    const path = await buildDebianPackage({ program, output: folder.path });
    const findings = await lines("lintian", "--allow-root", "--fail-on", "none", path);
    assert.deepEqual(findings.filter((line) => line.startsWith("E:")), []);
    const files = await lines("dpkg-deb", "--contents", path);
    assert.ok(files.every((line) => line.split(/\s+/)[1] === "root/root"), files.join("\n"));
    assert.match(files.join("\n"), /^-rwxr-xr-x .* \.\/usr\/bin\/xoauth2-proxy$/m);
    const copyright = await new Deno.Command("sh", {
      args: [
        "-c",
        'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/share/doc/xoauth2-proxy/copyright',
        path,
      ],
    }).output();
    assert.match(new TextDecoder().decode(copyright.stdout), /^hono [\d.]+: MIT\n\nMIT License/m);
  },
);

/** Everything in the machine that bears the program's name. */
async function traces(machine: DebianMachine): Promise<string[]> {
  const places = ["/etc", "/lib/systemd", "/usr/bin", "/usr/share", "/var", "/run"];
  const elsewhere = ["-path", "/run/overlay", "-o", "-path", "/var/tmp", "-o", "-path", outside];
  const match = ["-name", "*xoauth2*", "-print"];
  const output = await machine.succeed("find", ...places, "(", ...elsewhere, ")", "-prune", "-o", ...match);
  return output.split("\n").sort();
}

const dropIn = "/run/systemd/system/xoauth2-proxy.service.d";

/** Ports of the test's own, for what would be 2525 and 9090; and Deno for the stand-in. */
async function prepare(machine: DebianMachine, { port, adminPort }: { port: number; adminPort: number }) {
  await machine.bind(Deno.execPath(), denoInside);
  const variables = `XOAUTH2_PORT=${port} XOAUTH2_ADMIN_PORT=${adminPort}`;
  await machine.write(`${dropIn}/test.conf`, `[Service]\nEnvironment=${variables}\n`);
}

/** What an operator does after the installation. */
async function configure(machine: DebianMachine, sandbox: Sandbox): Promise<void> {
  const caFile = `${outside}/ca.pem`;
  await machine.write(caFile, sandbox.caCertificate);
  const { smtp, security, tokenUrl, account } = sandbox;
  const files = await createProxyFiles({
    sandbox: { smtp, security, tokenUrl, caFile },
    accounts: [account],
  });
  await machine.write("/etc/xoauth2-proxy/config.json", JSON.stringify(files.config));
  const accounts = "/var/lib/xoauth2-proxy/accounts.json";
  await machine.write(accounts, JSON.stringify(files.accounts));
  await machine.succeed("chown", `${service}:${service}`, accounts);
  await machine.succeed("chmod", "600", accounts);
  await machine.succeed("systemctl", "restart", service);
}

async function property(machine: DebianMachine, name: string): Promise<string> {
  return await machine.succeed("systemctl", "show", "--value", "--property", name, service);
}

test(
  "the package is installed, relays, is upgraded under load, removed and purged",
  whyNoDebianMachine(),
  async () => {
    await using folder = await temporaryFolder();
    const program = await writeStandIn(folder.path, denoInside);
    const first = await buildDebianPackage({ program, output: folder.path });
    const next = await buildDebianPackage({ program, output: folder.path, version: newVersion });
    await using sandbox = await startSandbox();
    await using machine = await DebianMachine.boot();
    const port = freePort();
    await prepare(machine, { port, adminPort: freePort() });

    const before = await traces(machine);
    await machine.succeed("dpkg", "--install", first);
    assert.equal(await property(machine, "ActiveState"), "active");
    assert.equal(await property(machine, "UnitFileState"), "enabled");
    assert.equal(await property(machine, "User"), service);
    const folders = await machine.succeed(
      "stat",
      "-c",
      "%U %a",
      "/var/lib/xoauth2-proxy",
      "/var/log/xoauth2-proxy",
    );
    assert.equal(folders, "xoauth2-proxy 700\nxoauth2-proxy 750");

    await configure(machine, sandbox);
    const { email, password } = sandbox.account;
    const senders = new SteadySenders({ port, email, password });
    await senders.waitForMore(20);
    const oldProcess = await property(machine, "MainPID");
    await machine.succeed("dpkg", "--install", next);
    await senders.waitForMore(20);
    await senders.stop();
    assert.notEqual(await property(machine, "MainPID"), oldProcess);
    assert.equal(
      await machine.succeed("dpkg-query", "--show", "--showformat=${Version}", service),
      newVersion,
    );
    const arrived = new Set(arrivedIds(sandbox.messages));
    assert.deepEqual(
      senders.acknowledged.filter((id) => !arrived.has(id)),
      [],
      "acknowledged, but not there",
    );
    const stops = await machine.succeed(
      "journalctl",
      "--unit",
      service,
      "--output=cat",
      "--grep=^.*Stopped in",
    );
    assert.doesNotMatch(stops, /exit [1-9]/);
    assert.match(
      await machine.succeed("cat", "/etc/xoauth2-proxy/config.json"),
      /sandbox/,
      "the operator's file is kept",
    );

    await machine.succeed("dpkg", "--remove", service);
    assert.equal(await property(machine, "ActiveState"), "inactive");
    assert.match(await machine.succeed("cat", "/var/lib/xoauth2-proxy/accounts.json"), /refresh_token/);
    await assert.rejects(machine.succeed("test", "-e", "/usr/bin/xoauth2-proxy"));

    await machine.succeed("dpkg", "--purge", service);
    assert.deepEqual(await traces(machine), before);
    assert.match(
      await machine.succeed("getent", "passwd", service),
      /^xoauth2-proxy:/,
      "its number stays taken",
    );
  },
);
