import assert from "node:assert/strict";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { AccountStore } from "../../src/accounts/account_store.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { resolveProvider } from "../../src/config/resolve_provider.ts";
import { DaemonProcess, type LogEvent } from "../support/daemon_process.ts";
import { AdminDaemon, bodyOf } from "./admin_daemon_fixture.ts";
import { adminToken, callApi } from "./admin_fixture.ts";

Deno.test("an account that is added over the API sends at once", async () => {
  await using lab = await AdminDaemon.start();
  const bert = lab.sandbox.tokens.addAccount("bert@sandbox.example");
  using client = await lab.connect();
  assert.equal((await lab.call("POST", "/admin/accounts", { body: bodyOf(bert) })).status, 201);
  await client.authPlain(bert.email, bert.password);
  const reply = await client.send({ from: bert.email, to: ["x@example.net"], data: "Subject: x\r\n\r\nx" });
  assert.match(reply, /^250 /);
  assert.equal(lab.sandbox.messages[0]?.account, bert.email);
});

Deno.test("a password that is changed over the API counts from the next sign-in on", async () => {
  await using lab = await AdminDaemon.start();
  const { email, password } = lab.sandbox.account;
  assert.match(await lab.send(lab.sandbox.account), /^250 /);
  const path = `/admin/accounts/${email}`;
  assert.equal((await lab.call("PATCH", path, { body: { password: "another" } })).status, 200);
  using client = await lab.connect();
  await client.command(`AUTH PLAIN ${btoa(`\0${email}\0${password}`)}`, "535 *");
  await client.authPlain(email, "another");
});

Deno.test("an account that is removed over the API is refused, in open sessions too", async () => {
  await using lab = await AdminDaemon.start();
  const { email, password } = lab.sandbox.account;
  using open = await lab.connect();
  await open.authPlain(email, password);
  assert.equal((await lab.call("DELETE", `/admin/accounts/${email}`)).status, 200);
  await open.command(`MAIL FROM:<${email}>`, /^[45]\d\d /);
  using fresh = await lab.connect();
  await fresh.command(`AUTH PLAIN ${btoa(`\0${email}\0${password}`)}`, "535 *");
});

Deno.test("an account whose grant was revoked is shown with the remedy, and sends again when it is authorized", async () => {
  await using lab = await AdminDaemon.start();
  const { account, tokens } = lab.sandbox;
  tokens.revoke(account.email);
  using client = await lab.connect();
  await client.authPlain(account.email, account.password);
  await client.command(`MAIL FROM:<${account.email}>`, /^4\d\d /);
  const { body } = await lab.call("GET", "/admin/status");
  assert.equal(body.accounts[0].token.state, "needs_authorization");
  assert.match(body.accounts[0].token.remedy, /Authorize the account again/);
  assert.equal(body.account_states.needs_authorization, 1);
});

Deno.test("verify runs against the provider, with the daemon's own certificates", async () => {
  await using lab = await AdminDaemon.start();
  const path = `/admin/accounts/${lab.sandbox.account.email}/verify`;
  const { status, text, body } = await lab.call("POST", path);
  assert.equal(status, 200, text);
  assert.equal(body.steps.at(-1).name, "auth");
});

Deno.test("status tells listeners, sessions, pool and rates", async () => {
  await using lab = await AdminDaemon.start();
  await lab.send(lab.sandbox.account);
  using _client = await lab.connect();
  const { status, body } = await lab.call("GET", "/admin/status");
  assert.equal(status, 200);
  assert.equal(body.state, "running");
  assert.equal(body.pid, lab.daemon.pid);
  assert.deepEqual(body.listeners.map(({ port }: { port: number }) => port), [lab.daemon.listener.port]);
  assert.ok(body.sessions >= 1);
  const [account] = body.accounts;
  assert.equal(account.token.state, "valid");
  assert.deepEqual([account.pool.open, account.pool.idle], [1, 1]);
});

Deno.test("two writers at once lose nothing", async () => {
  await using lab = await AdminDaemon.start();
  const mailboxes = Array.from(
    { length: 40 },
    (_, number) => lab.sandbox.tokens.addAccount(`user${number}@sandbox.example`),
  );
  const { directory } = lab.daemon;
  const file = join(directory, "accounts.json");
  const { settings: { providers } } = await loadSettings({
    options: { config: join(directory, "config.json") },
    env: {},
  });
  const store = await AccountStore.open({
    file,
    stateDirectory: join(directory, "other"),
    resolveProvider: (name, overrides) => resolveProvider(providers, name, overrides),
    log: getLogger(["tests"]),
  });
  const answers = await Promise.all(mailboxes.map(async (mailbox, number) => {
    const { password: _password, ...body } = bodyOf(mailbox);
    if (number % 2 === 0) return (await lab.call("POST", "/admin/accounts", { body })).status;
    await store.add(body);
    return 201;
  }));
  await store.close();
  assert.deepEqual(answers, Array(40).fill(201));
  const records: { email: string }[] = JSON.parse(await Deno.readTextFile(file));
  assert.equal(new Set(records.map(({ email }) => email)).size, 41);
  const reload = await lab.call("POST", "/admin/reload");
  assert.equal(reload.body.difference.settings.accounts.added.length, 20);
});

Deno.test("reload answers with the difference", async () => {
  await using lab = await AdminDaemon.start();
  const file = join(lab.daemon.directory, "accounts.json");
  await Deno.writeTextFile(file, "[]");
  const { status, body } = await lab.call("POST", "/admin/reload");
  assert.equal(status, 200);
  assert.deepEqual(body.difference.settings.accounts.removed, [lab.sandbox.account.email]);
  assert.deepEqual((await lab.call("POST", "/admin/reload")).body.difference, {});
});

Deno.test("reload of a broken file reads 422 with every fault, and changes nothing", async () => {
  await using lab = await AdminDaemon.start();
  const file = join(lab.daemon.directory, "accounts.json");
  await Deno.writeTextFile(
    file,
    JSON.stringify([{ email: "x" }, { email: "y@example.com", provider: "gmial" }]),
  );
  const { status, body } = await lab.call("POST", "/admin/reload");
  assert.equal(status, 422);
  const paths = body.details.map(({ path }: { path: string }) => path);
  for (const path of ["[0].email", "[0].provider", "[1].client_id"]) {
    assert.ok(paths.some((found: string) => found.endsWith(`accounts.json: ${path}`)), `${path} in ${paths}`);
  }
  assert.match(await lab.send(lab.sandbox.account), /^250 /);
});

Deno.test("shutdown answers 202, then the daemon drains and exits with 0", async () => {
  await using lab = await AdminDaemon.start();
  using client = await lab.connect();
  const { status, body } = await lab.call("POST", "/admin/shutdown");
  assert.deepEqual([status, body.state, body.already, body.pid], [202, "draining", false, lab.daemon.pid]);
  await client.expect("421 4.3.2 *");
  assert.deepEqual(await lab.daemon.exited, { code: 0, signal: null });
});

Deno.test("the API works in full with --admin-only", async () => {
  await using lab = await AdminDaemon.start({ args: ["--admin-only"] });
  const bert = lab.sandbox.tokens.addAccount("bert@sandbox.example");
  assert.equal((await lab.call("POST", "/admin/accounts", { body: bodyOf(bert) })).status, 201);
  const verified = await lab.call("POST", `/admin/accounts/${bert.email}/verify`);
  assert.equal(verified.status, 200, verified.text);
  const { body } = await lab.call("GET", "/admin/status");
  assert.deepEqual([body.admin_only, body.listeners, body.total_accounts], [true, [], 2]);
  assert.equal((await lab.call("POST", "/admin/reload")).status, 200);
  assert.equal((await lab.call("POST", "/admin/shutdown")).status, 202);
  assert.equal((await lab.daemon.exited).code, 0);
});

Deno.test({
  name: "the first start makes a token of its own, mode 0600, and says where",
  ignore: Deno.build.os === "windows", // files have no mode there
  async fn() {
    await using lab = await AdminDaemon.start({ args: ["--admin-only"], env: { XOAUTH2_ADMIN_TOKEN: "" } });
    const file = join(lab.daemon.directory, "state", "admin_token");
    const token = (await Deno.readTextFile(file)).trim();
    assert.ok(token.length >= 43);
    assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
    const { log } = lab.daemon;
    assert.ok(log.some(({ properties }) => properties["place"] === file));
    assert.ok(!JSON.stringify(log).includes(token));
    const answer = await callApi(lab.daemon.adminUrl, {
      method: "GET",
      path: "/admin/status",
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(answer.status, 200);
  },
});

const promtool = await isThere("promtool");

Deno.test({
  name: promtool
    ? "promtool finds nothing to mend in the metrics"
    : "promtool isn't installed: metrics unchecked",
  ignore: !promtool,
  async fn() {
    await using lab = await AdminDaemon.start();
    await lab.send(lab.sandbox.account);
    const { text } = await lab.call("GET", "/metrics", { headers: { authorization: "" } });
    const process = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    const { code, stdout, stderr } = await process.output();
    const findings = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.deepEqual([code, findings], [0, ""]);
  },
});

async function isThere(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output())
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("an authorization ends with its account when a reload removes that, even if another adds it anew", async () => {
  const [email, url] = ["a@example.com", "https://login.example"];
  const account = { email, provider: "own", client_id: "c", client_secret: "s", refresh_token: "r" };
  await using daemon = await DaemonProcess.start({
    config: {
      providers: {
        own: {
          smtp_endpoint: "smtp.example:587",
          oauth_token_url: `${url}/token`,
          authorization_url: `${url}/authorize`,
        },
      },
    },
    accounts: [account],
    env: { XOAUTH2_ADMIN_TOKEN: adminToken },
  });
  const call = (method: string, path: string) => callApi(daemon.adminUrl, { method, path });
  const path = `/admin/accounts/${email}/authorize`;
  assert.equal((await call("POST", path)).status, 201);
  assert.equal((await call("GET", path)).body.state, "pending");
  for (const records of [[], [account]]) {
    await Deno.writeTextFile(join(daemon.directory, "accounts.json"), JSON.stringify(records));
    assert.equal((await call("POST", "/admin/reload")).status, 200);
  }
  assert.equal((await call("GET", path)).body.state, "none");
});

Deno.test({
  name: "an admin token that others may read is warned of",
  ignore: Deno.build.os === "windows",
  async fn() {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, adminToken);
      await Deno.chmod(file, 0o644);
      await using daemon = await DaemonProcess.start({ config: { admin: { token_file: file } } });
      const isWarning = ({ level, message }: LogEvent) =>
        level.startsWith("warn") && message.includes("mode 0644");
      assert.match((await daemon.waitForLog(isWarning, "the warning")).message, /chmod 0600/);
    } finally {
      await Deno.remove(file);
    }
  },
});
