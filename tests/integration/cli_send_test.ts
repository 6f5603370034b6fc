import assert from "node:assert/strict";
import { join } from "node:path";
import { createProxyFiles } from "../../src/sandbox/proxy_files.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { ScriptedTokenEndpoint } from "../support/token_endpoint.ts";
import { newAccount } from "./admin_fixture.ts";
import { CliFixture } from "./cli_fixture.ts";

/** Files that lead to a sandbox with two mailboxes. */
async function startWithSandbox() {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const sandbox = stack.use(await startSandbox({ caFile: join(directory, "ca.pem") }));
  const bert = sandbox.tokens.addAccount("bert@sandbox.example");
  const files = await createProxyFiles({ sandbox, accounts: [sandbox.account, bert] });
  const cli = stack.use(await CliFixture.create(files.config, files.accounts));
  const owned = stack.move();
  return { sandbox, cli, bert, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Files that lead to a mail server that does what the test wants. */
async function startWithUpstream() {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await ScriptedUpstream.start({ security: "none" }));
  const endpoint = stack.use(await ScriptedTokenEndpoint.start());
  const test = {
    smtp_endpoint: `127.0.0.1:${upstream.endpoint.port}`,
    smtp_security: "none",
    oauth_token_url: endpoint.url,
  };
  const accounts = [newAccount("anna@example.com")];
  const cli = stack.use(await CliFixture.create({ providers: { test } }, accounts));
  const owned = stack.move();
  return { upstream, endpoint, cli, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const sendTest = ["send-test", "--account", "anna@example.com", "--to", "b@example.net"];

Deno.test("send-test sends one message without a daemon", async () => {
  await using lab = await startWithSandbox();
  const { email } = lab.sandbox.account;
  const args = ["send-test", "--account", email.toUpperCase(), "--to", "me@example.net"];
  const { status, out, err } = await lab.cli.run(args);
  assert.equal(status, 0, err);
  assert.match(out, /C: MAIL FROM:<sender@sandbox\.example>\n +S: 250/);
  assert.match(out, /^Sent: the provider has taken the message for me@example\.net$/m);
  const [message] = lab.sandbox.messages;
  assert.deepEqual([message?.account, message?.forwardPaths], [email, ["me@example.net"]]);
  assert.match(
    new TextDecoder().decode(message?.mailData),
    /^Date: .*\r\nFrom: <sender@sandbox\.example>\r\nTo: /,
  );
});

Deno.test("send-test prints JSON", async () => {
  await using lab = await startWithUpstream();
  const { status, json } = await lab.cli.run([...sendTest, "--json"]);
  assert.equal(status, 0);
  assert.equal(json.success, true);
  assert.ok(json.dialogue.some((line: string) => line.startsWith("S: 354")));
});

Deno.test("send-test tells the provider's refusal and what to do", async () => {
  await using lab = await startWithUpstream();
  lab.upstream.always("finalDot", {
    reply: "554 5.2.252 SendAsDenied; anna@example.com not allowed to send as info@example.com",
  });
  const { status, out } = await lab.cli.run([...sendTest, "--from", "info@example.com"]);
  assert.equal(status, 1);
  assert.match(out, /S: 554 5\.2\.252/);
  assert.match(out, /^Not sent\. .*SendAs/m);
});

Deno.test("send-test tells a refused sign-in and what to do", async () => {
  await using lab = await startWithUpstream();
  lab.upstream.always("authResponse", {
    reply: "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
  });
  const { status, err } = await lab.cli.run(sendTest);
  assert.equal(status, 1);
  assert.match(err, /5\.7\.139.*Set-CASMailbox/);
});

Deno.test("send-test tells that the provider hung up", async () => {
  await using lab = await startWithUpstream();
  lab.upstream.always("RCPT", "close");
  const { status, out } = await lab.cli.run(sendTest);
  assert.equal(status, 1);
  assert.match(out, /Not sent\. Cannot complete RCPT/);
});

for (const to of ["b@example.net>\r\nRCPT TO:<x@example.net", "nobody", "<b@example.net>"]) {
  Deno.test(`send-test refuses ${JSON.stringify(to)} as an address`, async () => {
    await using lab = await startWithUpstream();
    const { status } = await lab.cli.run(["send-test", "--account", "anna@example.com", "--to", to]);
    assert.equal(status, 64);
    assert.equal(lab.upstream.connections.length, 0);
  });
}

Deno.test("account verify shows each step", async () => {
  await using lab = await startWithSandbox();
  const { status, out, err } = await lab.cli.run(["account", "verify", lab.bert.email]);
  assert.equal(status, 0, err);
  assert.match(out, /^bert@sandbox\.example can send\n/);
  for (const step of ["token", "connect", "starttls", "tls", "auth"]) {
    assert.match(out, new RegExp(`ok +${step} +\\d+ ms`));
  }
});

Deno.test("account verify shows what a provider says, and no terminal obeys it", async () => {
  await using lab = await startWithUpstream();
  lab.upstream.always("authResponse", { reply: "535 5.7.8 \x1b[2Jgone \u202eback" });
  const { status, out } = await lab.cli.run(["account", "verify", "anna@example.com"]);
  assert.equal(status, 1);
  assert.match(out, /535 5\.7\.8 \ufffd\[2Jgone \ufffdback/);
});

Deno.test("account verify of all tells how many can send, and why others can't", async () => {
  await using lab = await startWithSandbox();
  lab.sandbox.tokens.revoke(lab.bert.email);
  const { status, out } = await lab.cli.run(["account", "verify"]);
  assert.equal(status, 1);
  assert.match(out, /^bert@sandbox\.example can't send\n +failed token/m);
  assert.match(out, /remedy: Authorize the account again/);
  assert.match(out, /^1 of 2 accounts can send$/m);
  const { json } = await lab.cli.run(["account", "verify", "--json"]);
  assert.deepEqual(json.results.map(({ ok }: { ok: boolean }) => ok), [true, false]);
});

Deno.test("account verify keeps a rotated refresh token", async () => {
  await using lab = await startWithSandbox();
  lab.sandbox.tokens.rotatesRefreshTokens = true;
  const before = (await lab.cli.records()).map(({ refresh_token }) => refresh_token);
  assert.equal((await lab.cli.run(["account", "verify", lab.bert.email])).status, 0);
  const after = (await lab.cli.records()).map(({ refresh_token }) => refresh_token);
  assert.equal(after[0], before[0]);
  assert.notEqual(after[1], before[1]);
  assert.equal((await lab.cli.run(["account", "verify"])).status, 0);
});
