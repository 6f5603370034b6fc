/** The commands that speak to a running daemon. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { AdminDaemon, bodyOf } from "./admin_daemon_fixture.ts";
import { adminToken } from "./admin_fixture.ts";
import { ChildProcess } from "../support/child_process.ts";
import { programFromSource } from "../support/daemon_process.ts";
import { CliFixture, runCli, ScriptedInput } from "./cli_fixture.ts";

/** The options that lead to a daemon and its files. */
function optionsOf({ daemon }: AdminDaemon): string[] {
  return ["--config", join(daemon.directory, "config.json"), "--admin-port", `${daemon.ready.admin.port}`];
}

function accountOptionsOf(lab: AdminDaemon): string[] {
  return [...optionsOf(lab), "--accounts", join(lab.daemon.directory, "accounts.json")];
}

const env = { XOAUTH2_ADMIN_TOKEN: adminToken };

Deno.test("status shows an account that needs authorization, with the remedy", async () => {
  await using lab = await AdminDaemon.start();
  const { account, tokens } = lab.sandbox;
  tokens.revoke(account.email);
  using client = await lab.connect();
  await client.authPlain(account.email, account.password);
  await client.command(`MAIL FROM:<${account.email}>`, /^4\d\d /);
  const { status, out, err } = await runCli(["status", ...optionsOf(lab)], { env });
  assert.equal(status, 0, err);
  assert.match(out, /^xoauth2-proxy \S+ {2}running for /);
  assert.match(out, /^accounts +1: 1 needs authorization$/m);
  assert.match(out, /^Needs authorization: 1\n {2}sender@sandbox\.example\n/m);
  assert.match(out, /xoauth2-proxy account authorize sender@sandbox\.example/);
  const { json } = await runCli(["status", "--json", ...optionsOf(lab)], { env });
  assert.equal(json.account_states.needs_authorization, 1);
});

Deno.test("stop returns when the daemon is gone", async () => {
  await using lab = await AdminDaemon.start();
  await lab.send(lab.sandbox.account);
  const { status, out, err } = await runCli(["stop", ...optionsOf(lab)], { env });
  assert.equal(status, 0, err);
  assert.match(out, new RegExp(`^Stopped \\(pid ${lab.daemon.pid}\\) after`));
  await assert.rejects(Deno.connect(lab.daemon.ready.admin), { name: "ConnectionRefused" });
  assert.equal((await lab.daemon.exited).code, 0);
});

Deno.test("stop finds the token where the daemon has put it", async () => {
  await using lab = await AdminDaemon.start({ args: ["--admin-only"], env: { XOAUTH2_ADMIN_TOKEN: "" } });
  const { status, err } = await runCli(["stop", ...optionsOf(lab)], {
    env: { STATE_DIRECTORY: join(lab.daemon.directory, "state") },
  });
  assert.equal(status, 0, err);
});

Deno.test("stop works while config.json is broken", async () => {
  await using lab = await AdminDaemon.start({ args: ["--admin-only"] });
  await Deno.writeTextFile(join(lab.daemon.directory, "config.json"), "{");
  const { status, err } = await runCli(["stop", ...optionsOf(lab)], { env });
  assert.equal(status, 0, err);
  assert.match(err, /the configuration has faults/);
});

Deno.test("status finds the daemon by the environment while config.json is broken", async () => {
  await using lab = await AdminDaemon.start({ args: ["--admin-only"] });
  await Deno.writeTextFile(join(lab.daemon.directory, "config.json"), "{");
  const { hostname, port } = lab.daemon.ready.admin;
  const place = { XOAUTH2_ADMIN_HOST: hostname, XOAUTH2_ADMIN_PORT: `${port}` };
  const args = ["status", "--json", "--config", join(lab.daemon.directory, "config.json")];
  const { json } = await runCli(args, { env: { ...env, ...place } });
  assert.equal(json.pid, lab.daemon.pid);
});

Deno.test("reload tells the difference", async () => {
  await using lab = await AdminDaemon.start();
  await Deno.writeTextFile(join(lab.daemon.directory, "accounts.json"), "[]");
  const { status, out } = await runCli(["reload", ...optionsOf(lab)], { env });
  assert.equal(status, 0);
  assert.match(out, /^Reloaded in \d+ ms\n +accounts removed: sender@sandbox\.example$/);
  const again = await runCli(["reload", ...optionsOf(lab)], { env });
  assert.match(again.out, /nothing has changed$/);
});

Deno.test("reload of broken files ends with 1 and tells each fault", async () => {
  await using lab = await AdminDaemon.start();
  await Deno.writeTextFile(join(lab.daemon.directory, "accounts.json"), '[{"email":"x"}]');
  const { status, err } = await runCli(["reload", ...optionsOf(lab)], { env });
  assert.equal(status, 1);
  assert.match(err, /accounts\.json: \[0\]\.email: must be an e-mail address/);
});

Deno.test("account add and remove are live in the running daemon", async () => {
  await using lab = await AdminDaemon.start();
  const bert = lab.sandbox.tokens.addAccount("bert@sandbox.example");
  const file = join(lab.daemon.directory, "new.json");
  await Deno.writeTextFile(file, JSON.stringify([bodyOf(bert)]));
  const added = await runCli(["account", "import", file, ...accountOptionsOf(lab)], { env });
  assert.equal(added.status, 0, added.err);
  assert.match(added.out, /The daemon at .* has taken it over$/);
  assert.match(await lab.send(bert), /^250 /);
  const removed = await runCli(["account", "remove", bert.email, "--json", ...accountOptionsOf(lab)], {
    env,
  });
  assert.equal(removed.json.daemon, "reloaded");
  using client = await lab.connect();
  await client.command(`AUTH PLAIN ${btoa(`\0${bert.email}\0${bert.password}`)}`, "535 *");
});

Deno.test("account remove tells the daemon of those it has removed before one that failed", async () => {
  await using lab = await AdminDaemon.start();
  const { account } = lab.sandbox;
  const path = join(lab.daemon.directory, "accounts.json");
  const [record] = JSON.parse(await Deno.readTextFile(path));
  const other = { ...record, email: "other@sandbox.example" };
  delete other.username;
  await Deno.writeTextFile(path, JSON.stringify([record, other]));
  // Somebody else removes the second one while this command asks.
  const input = new ScriptedInput(true, { answers: ["y"] });
  input.ask = async () => {
    await Deno.writeTextFile(path, JSON.stringify([record]));
    return "y";
  };
  const args = ["account", "remove", account.email, other.email, ...accountOptionsOf(lab)];
  const { status, err } = await runCli(args, { env, input });
  assert.equal(status, 1);
  assert.match(err, /^Removed sender@sandbox\.example\. The daemon at .* has taken it over\nerror: .*other@/);
  using client = await lab.connect();
  await client.command(`AUTH PLAIN ${btoa(`\0${account.email}\0${account.password}`)}`, "535 *");
});

Deno.test("send-test tells the running daemon of the refresh token that it has traded in", async () => {
  await using lab = await AdminDaemon.start();
  const { account, tokens } = lab.sandbox;
  tokens.rotatesRefreshTokens = true;
  const args = ["send-test", "--account", account.email, "--to", "b@example.net"];
  const sent = await runCli([...args, ...accountOptionsOf(lab)], { env });
  assert.match(sent.out, /^Sent: .*\nThe daemon at .* has taken it over$/m, sent.err);
  assert.match(await lab.send(account), /^250 /);
});

Deno.test("a daemon that was not told finds the refresh token that a command has traded in", async () => {
  await using lab = await AdminDaemon.start();
  const { account, tokens } = lab.sandbox;
  tokens.rotatesRefreshTokens = true;
  const args = ["account", "verify", account.email];
  const options = [...accountOptionsOf(lab), "--admin-port", "9"];
  const verified = await runCli([...args, ...options], { env });
  assert.match(verified.out, /No daemon answers/);
  assert.match(await lab.send(account), /^250 /);
});

Deno.test("a daemon that can't be told is named, and the edit is done all the same", async () => {
  await using lab = await AdminDaemon.start();
  const { email } = lab.sandbox.account;
  const { status, out } = await runCli(
    ["account", "set-password", email, "--password-file", "-", ...accountOptionsOf(lab)],
    {
      env: { XOAUTH2_ADMIN_TOKEN: "another-token-than-its" },
      input: new ScriptedInput(false, { piped: "x" }),
    },
  );
  assert.equal(status, 0);
  assert.match(out, /The daemon was not told: .*refuses the admin token in XOAUTH2_ADMIN_TOKEN/);
});

Deno.test("a port that config.json gave is named as such when no daemon answers there", async () => {
  await using folder = await CliFixture.create({ admin: { port: 9 } });
  const config = join(folder.directory, "config.json");
  const hint = `(9 is from ${config}; a daemon that was started before may still be at the old port)`;
  const fromFile = await runCli(["status", "--config", config], { env });
  assert.equal(fromFile.status, 1);
  assert.ok(fromFile.err.includes(hint), fromFile.err);
  const fromOption = await runCli(["status", "--config", config, "--admin-port", "9"], { env });
  assert.ok(!fromOption.err.includes("is from"), fromOption.err);
  const fromVariable = await runCli(["status", "--config", config], {
    env: { ...env, XOAUTH2_ADMIN_PORT: "9" },
  });
  assert.ok(!fromVariable.err.includes("is from"), fromVariable.err);
});

for (const command of ["status", "stop", "reload"]) {
  Deno.test(`${command} ends with 1 when no daemon answers`, async () => {
    const { status, err } = await runCli([command, "--admin-port", "9"], { env });
    assert.equal(status, 1);
    assert.match(err, /No daemon answers at http:\/\/127\.0\.0\.1:9: is it running/);
  });

  Deno.test(`${command} ends with 1 when the token is wrong`, async () => {
    await using lab = await AdminDaemon.start({ args: ["--admin-only"] });
    const { status, err } = await runCli([command, ...optionsOf(lab)], {
      env: { XOAUTH2_ADMIN_TOKEN: "another-token-than-its" },
    });
    assert.equal(status, 1);
    assert.match(err, /refuses the admin token/);
    assert.equal((await lab.call("GET", "/health")).status, 200);
  });

  Deno.test(`${command} ends with 1 when something else answers`, async () => {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response("hi"),
    );
    const { status, err } = await runCli([command, "--admin-port", `${server.addr.port}`], { env });
    await server.shutdown();
    assert.equal(status, 1);
    assert.match(err, /Something else than this program answers/);
  });
}

Deno.test("status says where a token is missing", async () => {
  await using lab = await AdminDaemon.start({ args: ["--admin-only"] });
  const { status, err } = await runCli(["status", ...optionsOf(lab)], {
    env: { STATE_DIRECTORY: "/nowhere" },
  });
  assert.equal(status, 1);
  assert.match(err, /no admin token in \/nowhere.*--token-file/);
});

Deno.test("every command's help has an example", async () => {
  const account = [
    "list",
    "show",
    "add",
    "authorize",
    "verify",
    "set-password",
    "remove",
    "import",
    "encrypt",
  ];
  const names = [
    ["stop"],
    ["reload"],
    ["status"],
    ["send-test"],
    ["account"],
    ...account.map((name) => ["account", name]),
  ];
  for (const name of names) {
    const { status, out } = await runCli([...name, "--help"]);
    assert.equal(status, 0);
    assert.match(out, /Examples?:\n(.*\n)* {2}.*xoauth2-proxy/, name.join(" "));
  }
});

Deno.test("commands reach the daemon directly although HTTP_PROXY names a proxy", async () => {
  await using lab = await AdminDaemon.start({ args: ["--admin-only"] });
  using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const proxyUrl = `http://127.0.0.1:${proxy.addr.port}`;
  const command = [...programFromSource(), "status", "--json", ...optionsOf(lab)] as [string, ...string[]];
  await using child = ChildProcess.spawn({ command, env: { ...env, HTTP_PROXY: proxyUrl } });
  const line = await child.waitForLine(({ stdout }) => stdout[0], { what: "The status" });
  assert.equal(JSON.parse(line).pid, lab.daemon.pid);
});
