import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { SmtpTestClient } from "../../support/smtp_client.ts";

const DEADLINE_MS = 5000;

function requestToken(sandbox: Sandbox, fields: Record<string, string> = {}): Promise<Response> {
  const { clientId, clientSecret, refreshToken } = sandbox.account;
  const form = {
    grant_type: "refresh_token",
    client_id: clientId,
    client_secret: clientSecret,
    refresh_token: refreshToken,
    ...fields,
  };
  return fetch(sandbox.tokenUrl, { method: "POST", body: new URLSearchParams(form) });
}

async function accessToken(sandbox: Sandbox, fields: Record<string, string> = {}): Promise<string> {
  return (await (await requestToken(sandbox, fields)).json()).access_token;
}

async function openClient(sandbox: Sandbox): Promise<SmtpTestClient> {
  using stack = new DisposableStack();
  const client = stack.use(await SmtpTestClient.connect(sandbox.smtp));
  await client.openSecurely(sandbox);
  stack.move();
  return client;
}

async function signIn(sandbox: Sandbox, token: string): Promise<string> {
  using client = await openClient(sandbox);
  return await client.authXoauth2(sandbox.account.email, token);
}

Deno.test("startSandbox keeps a message byte for byte", async () => {
  await using sandbox = await startSandbox();
  using client = await openClient(sandbox);
  const { email } = sandbox.account;
  assert.match(await client.authXoauth2(email, await accessToken(sandbox)), /^235 2\.7\.0 /);
  const data = Buffer.from("Subject: x\r\n\r\n..dot\r\n\x80\xff octets", "latin1");
  assert.match(
    await client.send({ from: email, to: ["b@example.net", "c@example.net"], data }),
    /^250 2\.6\.0 OK /,
  );
  const message = await sandbox.waitForMessage(AbortSignal.timeout(DEADLINE_MS));
  assert.equal(
    Buffer.from(message.mailData).toString("latin1"),
    "Subject: x\r\n\r\n.dot\r\n\x80\xff octets\r\n",
  );
  assert.deepEqual(
    [message.account, message.reversePath, message.forwardPaths],
    [email, email, ["b@example.net", "c@example.net"]],
  );
  assert.equal(sandbox.messages.length, 1);
});

Deno.test("startSandbox offers AUTH only inside TLS, and only XOAUTH2", async () => {
  await using sandbox = await startSandbox();
  using client = await SmtpTestClient.connect(sandbox.smtp);
  await client.expect("220 *");
  assert.doesNotMatch((await client.command("EHLO client.example", "250 *")).join(), /AUTH/);
  await client.command("AUTH XOAUTH2", /^5/);
  await client.command("MAIL FROM:<a@example.com>", "530 5.7.0 *");
  await client.command("STARTTLS", "220 *");
  await client.startTls(sandbox);
  const extensions = await client.command("EHLO client.example", "250 *");
  assert.ok(extensions.includes("250-AUTH XOAUTH2"));
  assert.ok(extensions.some((line) => /^250.SIZE 35882577$/.test(line)));
  await client.command("AUTH PLAIN AGEAYg==", "504 5.5.4 *");
  await client.command("MAIL FROM:<a@example.com>", "530 5.7.0 *");
});

Deno.test("startSandbox serves implicit TLS when asked to", async () => {
  await using sandbox = await startSandbox({ security: "tls" });
  using client = await SmtpTestClient.connect({ ...sandbox.smtp, tls: sandbox });
  await client.expect("220 *");
  assert.ok((await client.command("EHLO client.example", "250 *")).includes("250-AUTH XOAUTH2"));
});

Deno.test("startSandbox refuses a wrong token in two steps, as Google does", async () => {
  await using sandbox = await startSandbox();
  using client = await openClient(sandbox);
  const challenge = await client.authXoauth2(sandbox.account.email, "wrong");
  assert.equal(JSON.parse(atob(challenge.slice("334 ".length))).status, "400");
  await client.command("", "535 5.7.8 *");
  await client.command("NOOP", "250 *");
});

Deno.test("startSandbox refuses a wrong token at once, as Microsoft does", async () => {
  await using sandbox = await startSandbox({ refusalStyle: "microsoft" });
  assert.match(await signIn(sandbox, "wrong"), /^535 5\.7\.3 Authentication unsuccessful /);
});

Deno.test("startSandbox refuses another mailbox's token", async () => {
  await using sandbox = await startSandbox({ refusalStyle: "microsoft" });
  const { clientId, clientSecret, refreshToken } = sandbox.tokens.addAccount("other@sandbox.example");
  const fields = { client_id: clientId, client_secret: clientSecret, refresh_token: refreshToken };
  assert.match(await signIn(sandbox, await accessToken(sandbox, fields)), /^535 /);
  assert.match(await signIn(sandbox, await accessToken(sandbox)), /^235 /);
});

Deno.test("startSandbox expires access tokens on request and by the clock", async () => {
  let nowMs = 1_000_000;
  await using sandbox = await startSandbox({
    refusalStyle: "microsoft",
    tokenLifeSeconds: 60,
    now: () => nowMs,
  });
  const first = await accessToken(sandbox);
  nowMs += 59_999;
  assert.match(await signIn(sandbox, first), /^235 /);
  nowMs += 1;
  assert.match(await signIn(sandbox, first), /^535 /);
  const second = await accessToken(sandbox);
  sandbox.tokens.expireAccessTokens();
  assert.match(await signIn(sandbox, second), /^535 /);
});

Deno.test("startSandbox rotates and revokes refresh tokens", async () => {
  await using sandbox = await startSandbox();
  sandbox.tokens.rotatesRefreshTokens = true;
  const rotated = (await (await requestToken(sandbox)).json()).refresh_token;
  assert.notEqual(rotated, sandbox.account.refreshToken);
  const stale = await requestToken(sandbox);
  assert.deepEqual([stale.status, (await stale.json()).error], [400, "invalid_grant"]);
  assert.equal(typeof await accessToken(sandbox, { refresh_token: rotated }), "string");
  sandbox.tokens.revoke(sandbox.account.email);
  const revoked = await requestToken(sandbox, { refresh_token: rotated });
  assert.equal((await revoked.json()).error, "invalid_grant");
  assert.equal(sandbox.tokenRequestCount, 4);
});

Deno.test("startSandbox's token endpoint knows both client authentications and both grants", async () => {
  await using sandbox = await startSandbox();
  const { clientId, clientSecret } = sandbox.account;
  const basic = await fetch(sandbox.tokenUrl, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const answer = await basic.json();
  assert.deepEqual([answer.token_type, answer.expires_in, answer.refresh_token], ["Bearer", 3600, undefined]);
  const wrong = await requestToken(sandbox, { client_secret: "wrong" });
  assert.deepEqual([wrong.status, (await wrong.json()).error], [401, "invalid_client"]);
  const unknown = await requestToken(sandbox, { grant_type: "password" });
  assert.deepEqual([unknown.status, (await unknown.json()).error], [400, "unsupported_grant_type"]);
});

Deno.test("startSandbox refuses a message over SIZE at MAIL and at its end", async () => {
  await using sandbox = await startSandbox({ maxMessageOctets: 100 });
  using client = await openClient(sandbox);
  await client.authXoauth2(sandbox.account.email, await accessToken(sandbox));
  await client.command("MAIL FROM:<a@example.com> SIZE=101", "552 5.3.4 *");
  const message = { from: "a@example.com", to: ["b@example.net"], data: "x".repeat(101) };
  assert.match(await client.send(message), /^552 5\.3\.4 /);
  assert.equal(sandbox.messages.length, 0);
});

Deno.test("startSandbox writes its CA and ends when its signal aborts", async () => {
  const caFile = await Deno.makeTempFile();
  const stop = new AbortController();
  const options: SandboxOptions = { caFile, signal: stop.signal };
  await using sandbox = await startSandbox(options);
  assert.equal(await Deno.readTextFile(caFile), sandbox.caCertificate);
  using client = await openClient(sandbox);
  stop.abort();
  await client.expect("421 *");
  await client.expectEnd();
  client[Symbol.dispose]();
  await sandbox[Symbol.asyncDispose]();
  await assert.rejects(SmtpTestClient.connect(sandbox.smtp), Deno.errors.ConnectionRefused);
  await assert.rejects(startSandbox(options), { name: "AbortError" });
  await Deno.remove(caFile);
});

Deno.test("startSandbox drops clients that stay when it ends", async () => {
  const sandbox = await startSandbox();
  using client = await openClient(sandbox);
  await sandbox[Symbol.asyncDispose]();
  await client.expect("421 *");
});

Deno.test("waitForMessage rejects with the signal's reason", async () => {
  await using sandbox = await startSandbox();
  const leaving = new AbortController();
  const waiting = sandbox.waitForMessage(leaving.signal);
  leaving.abort(new RangeError("enough"));
  await assert.rejects(waiting, RangeError);
});
