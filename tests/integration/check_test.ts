/** `check` finds what a start refuses. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { tokenDigest } from "../../src/accounts/rotated_tokens.ts";
import { formatFinding } from "../../src/config/config_error.ts";
import { createTestCertificates } from "../support/certificates.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { CliFixture } from "./cli_fixture.ts";

Deno.test("check and start find the same faults, all of them together", async () => {
  const [one, other] = [await createTestCertificates(), await createTestCertificates()];
  await using fixture = await CliFixture.create();
  const certificate_file = await fixture.write("certificate.pem", one.leaf.certificate);
  const private_key_file = await fixture.write("key.pem", other.leaf.privateKey);
  const tls = { security: "tls", certificate_file, private_key_file };
  const config = await fixture.write(
    "config.json",
    JSON.stringify({
      listeners: [
        { port: 0 },
        { port: 2526, account: "nobody@example.com", allowed_clients: ["127.0.0.1"] },
        { port: 2527, ...tls },
        { port: 9 },
        { port: 2528, ...tls, certificate_file: "absent.pem" },
      ],
    }),
  );
  const { status, json } = await fixture.run(["check", "--json"]);
  const expected = [
    /absent\.pem/,
    /fits the key/,
    /no account "nobody@example\.com"/,
    /taken by the admin API/,
  ];
  assert.equal(status, 78);
  const faults: string[] = json.faults.map(({ message }: { message: string }) => message);
  assert.equal(faults.length, expected.length, faults.join("\n"));
  for (const [index, pattern] of expected.entries()) assert.match(faults[index]!, pattern);

  await using daemon = await DaemonProcess.start({
    config,
    accounts: join(fixture.directory, "accounts.json"),
    args: ["--admin-port", "9"],
    waitsUntilReady: false,
  });
  assert.deepEqual(await daemon.exited, { code: 78, signal: null });
  const said = daemon.log.map(({ message }) => message).filter((text) => text.startsWith("Cannot start: "));
  assert.equal(said.length, expected.length, said.join("\n"));
  for (const [index, pattern] of expected.entries()) assert.match(said[index]!, pattern);
});

interface UnusablePlace {
  readonly name: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Makes what stands in the way. */
  readonly prepare?: (fixture: CliFixture) => Promise<unknown>;
  /** What both say. */
  readonly expected: RegExp;
  /** Where it may pass: what the start says and ends with 1 for. */
  readonly atStart?: RegExp;
}

const stateFile = (name: string, text: string) => async (fixture: CliFixture) => {
  await Deno.mkdir(join(fixture.directory, "state"));
  await fixture.write(join("state", name), text);
};
const tokenFile = (text: string) => ({
  config: { admin: { token_file: "token" } },
  prepare: (fixture: CliFixture) => fixture.write("token", text),
  expected: /token: holds no usable admin token \(one line/,
});

const unusable: readonly UnusablePlace[] = [
  {
    name: "an admin token file that isn't there",
    config: { admin: { token_file: "absent" } },
    expected: /absent: can't be read: NotFound \(one line/,
  },
  {
    name: "a folder as admin token file",
    config: { admin: { token_file: "." } },
    expected: /can't be read: .* \(one line/,
  },
  { name: "an empty admin token file", ...tokenFile("") },
  { name: "a short admin token", ...tokenFile("x") },
  { name: "an admin token that isn't ASCII", ...tokenFile("t\u00f6ken-that-is-long-enough") },
  {
    name: "a folder in the place of the admin token",
    env: { XOAUTH2_ADMIN_TOKEN: "" },
    prepare: ({ directory }) => Deno.mkdir(join(directory, "state", "admin_token"), { recursive: true }),
    expected: /admin_token: can't be read: .* \(one line/,
  },
  {
    name: "a folder as log file",
    config: { log: { file: "." } },
    expected: /can't be opened for the log: .*change log\.file/,
  },
  {
    name: "a log file in no folder",
    config: { log: { file: "absent/proxy.log" } },
    expected: /proxy\.log: can't be opened for the log: .*change log\.file/,
  },
  {
    name: "a listener's host that is another machine's",
    // TEST-NET-1 of RFC 5737.
    config: { listeners: [{ host: "192.0.2.1" }] },
    expected: /listeners\[0\]\.host: is "192\.0\.2\.1", where this machine can't listen: .*--host/,
    atStart: /192\.0\.2\.1:\d+ is no address of this machine/,
  },
  {
    name: "an admin host that doesn't resolve",
    // Longer than a label may be (RFC 1035 §2.3.4), so nobody is asked.
    config: { admin: { host: "x".repeat(64) } },
    expected: /admin\.host: is "x+", where this machine can't listen: .*--admin-host/,
    atStart: /x+:\d+: .*lookup/,
  },
  {
    name: "damaged rotated tokens",
    prepare: stateFile("refresh_tokens.json", "{"),
    expected: /refresh_tokens\.json: can't be used: .*damaged \(bring it back/,
  },
  {
    name: "empty rotated tokens",
    prepare: stateFile("refresh_tokens.json", ""),
    expected: /refresh_tokens\.json: can't be used: .*damaged \(bring it back/,
  },
  {
    name: "a file as state folder",
    prepare: (fixture) => fixture.write("state", ""),
    expected: /state: can't be the state folder: it is no folder \(move it away/,
  },
  {
    name: "a folder as accounts file",
    prepare: async ({ directory }) => {
      await Deno.remove(join(directory, "accounts.json"));
      await Deno.mkdir(join(directory, "accounts.json"));
    },
    expected: /accounts\.json: can't be read: .*--accounts/,
  },
  {
    name: "a link to nowhere as accounts file",
    prepare: async ({ directory }) => {
      await Deno.remove(join(directory, "accounts.json"));
      await Deno.symlink("absent.json", join(directory, "accounts.json"));
    },
    expected: /accounts\.json: can't be read: it is a link to a file that is not there .*--accounts/,
  },
  {
    name: "an accounts file in Latin-1",
    prepare: ({ directory }) =>
      Deno.writeFile(join(directory, "accounts.json"), Uint8Array.of(0x5b, 0x22, 0xfc, 0x22, 0x5d)),
    expected: /accounts\.json: is not UTF-8 text \(save it in that encoding/,
  },
  {
    name: "a rotated token that was encrypted with another key",
    prepare: async (fixture) => {
      const account = { email: "A@example.com", provider: "gmail", client_id: "c", refresh_token: "r" };
      await fixture.write("accounts.json", JSON.stringify([account]));
      const entry = { original: tokenDigest("r"), refresh_token: "enc:v1:AAAA" };
      await stateFile("refresh_tokens.json", JSON.stringify({ tokens: { "a@example.com": entry } }))(fixture);
    },
    env: { XOAUTH2_ACCOUNTS_KEY: "A".repeat(43) },
    expected:
      /refresh_tokens\.json: tokens\["a@example\.com"\]\.refresh_token: can't be used: .*\(give the accounts key/,
  },
  {
    name: "an accounts key of the wrong length",
    env: { XOAUTH2_ACCOUNTS_KEY: "short" },
    expected: /XOAUTH2_ACCOUNTS_KEY: gives no accounts key: .*32 octets in base64/,
  },
  {
    name: "an accounts key file that isn't there",
    env: { XOAUTH2_ACCOUNTS_KEY_FILE: "absent" },
    expected: /XOAUTH2_ACCOUNTS_KEY_FILE: gives no accounts key: .*absent.*32 octets in base64/,
  },
];

for (const { name, config, env = {}, prepare, expected, atStart } of unusable) {
  Deno.test({
    name: `check finds ${name}, and start ends with ${atStart ? 1 : 78}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using fixture = await CliFixture.create(config);
      await prepare?.(fixture);
      const { status, json } = await fixture.run(["check", "--json"], { env });
      assert.equal(status, 78);
      assert.equal(json.faults.length, 1, JSON.stringify(json.faults));
      assert.match(formatFinding(json.faults[0]), expected);

      await using daemon = await DaemonProcess.start({
        config: join(fixture.directory, "config.json"),
        accounts: join(fixture.directory, "accounts.json"),
        env: { STATE_DIRECTORY: join(fixture.directory, "state"), ...env },
        waitsUntilReady: false,
      });
      assert.deepEqual(await daemon.exited, { code: atStart ? 1 : 78, signal: null });
      const said = daemon.log.map(({ message }) => message).filter((text) => text.startsWith("Cannot start"));
      assert.equal(said.length, 1, said.join("\n"));
      assert.match(said[0]!, atStart ?? expected);
    },
  });
}

Deno.test({
  name: "check doesn't wait for a key file without an end",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using fixture = await CliFixture.create();
    const pipe = join(fixture.directory, "pipe");
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const account = {
      email: "a@example.com",
      provider: "gmail",
      grant: "service_account",
      client_id: "app",
      private_key_file: pipe,
    };
    await fixture.write("accounts.json", JSON.stringify([account]));
    const { status, json } = await fixture.run(["check", "--json"]);
    assert.equal(status, 0);
    assert.match(json.warnings[0].message, /pipe", which can't be read: it is no regular file/);
  },
});

Deno.test("check leaves alone what it looks at", async () => {
  await using fixture = await CliFixture.create({ log: { file: "proxy.log" } });
  const { status } = await fixture.run(["check"]);
  assert.equal(status, 0);
  const names = (await Array.fromAsync(Deno.readDir(fixture.directory))).map(({ name }) => name).sort();
  assert.deepEqual(names, ["accounts.json", "config.json"]);
});

Deno.test("check warns of key files of accounts, and start goes on without them", async () => {
  const account = (name: string, private_key_file: string) => ({
    email: `${name}@example.com`,
    provider: "gmail",
    grant: "service_account",
    client_id: "app",
    private_key_file,
  });
  await using fixture = await CliFixture.create();
  const good = await fixture.write("key.pem", (await createTestCertificates()).leaf.privateKey);
  const garbage = await fixture.write("garbage.pem", "x");
  const records = [
    account("good", good),
    account("missing", join(fixture.directory, "absent.pem")),
    account("folder", fixture.directory),
    account("garbage", garbage),
  ];
  const accounts = await fixture.write("accounts.json", JSON.stringify(records));
  const expected = [
    /of missing@example\.com names ".*absent\.pem", which can't be read/,
    /of folder@example\.com names ".*", which can't be read/,
    /of garbage@example\.com names ".*garbage\.pem", which holds no private key/,
  ];
  const { status, json } = await fixture.run(["check", "--json"]);
  assert.equal(status, 0);
  assert.equal(json.warnings.length, expected.length, JSON.stringify(json.warnings));
  await using daemon = await DaemonProcess.start({ accounts });
  for (const [index, pattern] of expected.entries()) {
    assert.match(json.warnings[index].message, pattern);
    await daemon.waitForLog(({ message }) => pattern.test(message), String(pattern));
  }
});
