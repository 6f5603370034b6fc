/** Nothing that the daemon tells has a secret in it, however much it has done and however talkative it is. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { SandboxAccount } from "../../src/sandbox/token_issuer.ts";
import { type OtlpSpan, startOtlpCollector } from "../support/otlp_collector.ts";
import { AdminDaemon, bodyOf } from "./admin_daemon_fixture.ts";
import { adminToken } from "./admin_fixture.ts";

const sessions = 10;
const messagesPerSession = 1_000;

Deno.test("10,000 messages leave no secret in log, metrics, traces, status or answers", async () => {
  const issued = new Set<string>();
  const mailboxes: SandboxAccount[] = [];
  await using collector = startOtlpCollector();
  await using lab = await AdminDaemon.start({
    args: ["--log-level", "trace"],
    env: collector.env,
    accounts(sandbox) {
      recordAccessTokens(sandbox, issued);
      sandbox.tokens.rotatesRefreshTokens = true;
      for (let number = 0; number < sessions; number++) {
        mailboxes.push(sandbox.tokens.addAccount(`user${number}@sandbox.example`));
      }
      return mailboxes;
    },
  });
  const added = lab.sandbox.tokens.addAccount("added@sandbox.example");
  const answers = [await lab.call("POST", "/admin/accounts", { body: bodyOf(added) })];
  await Promise.all(mailboxes.map((mailbox) => sendMany(lab, mailbox)));
  assert.equal(lab.sandbox.messages.length, sessions * messagesPerSession);

  await misuse(lab, mailboxes[0]!);
  lab.sandbox.tokens.revoke(mailboxes[1]!.email);
  for (const email of [mailboxes[0]!.email, mailboxes[1]!.email]) {
    answers.push(await lab.call("POST", `/admin/accounts/${email}/verify`));
  }
  for (const path of ["/admin/status", "/admin/accounts", "/metrics", "/openapi.json", "/health"]) {
    answers.push(await lab.call("GET", path));
  }
  answers.push(await lab.call("POST", "/admin/reload"));
  assert.equal((await lab.daemon.stop()).code, 0);

  const records = await Deno.readTextFile(join(lab.daemon.directory, "accounts.json"));
  const rotated = JSON.parse(records).map(({ refresh_token }: { refresh_token: string }) => refresh_token);
  const hashes = JSON.parse(records).map(({ password_hash }: { password_hash: string }) => password_hash);
  const secrets = new Set([
    adminToken,
    ...issued,
    ...rotated,
    ...hashes,
    ...[...mailboxes, added].flatMap((account) => [
      account.clientSecret,
      account.refreshToken,
      account.password,
      btoa(account.password),
      btoa(`\0${account.email}\0${account.password}`),
    ]),
  ]);
  assert.ok(issued.size >= sessions, `${issued.size}`);
  assert.ok(collector.spans.some(({ name }) => name === "transaction"));
  const told = [
    JSON.stringify(lab.daemon.log),
    JSON.stringify(collector.spans.map(withoutRequestUrl)),
    ...lab.daemon.strayLines,
    ...answers.map(({ text }) => text),
  ].join("\n");
  for (const secret of secrets) {
    assert.ok(!told.includes(secret), `a secret of ${secret.length} characters was told`);
  }
  assert.ok(!/dXNlcj[A-Za-z0-9+/]{16}/.test(told), "an XOAUTH2 response was told");
});

/** Deno itself traces requests to the admin server with their whole URL, and whoever puts a token there has told it. */
function withoutRequestUrl(span: OtlpSpan): OtlpSpan {
  return {
    ...span,
    attributes: span.attributes.filter(({ key }) => key !== "url.full" && key !== "url.query"),
  };
}

function recordAccessTokens({ tokens }: Pick<Sandbox, "tokens">, issued: Set<string>): void {
  const refresh = tokens.refresh.bind(tokens);
  tokens.refresh = (client, refreshToken) => {
    const grant = refresh(client, refreshToken);
    if (typeof grant !== "string") issued.add(grant.accessToken);
    return grant;
  };
}

async function sendMany(lab: AdminDaemon, { email, password }: SandboxAccount): Promise<void> {
  using client = await lab.connect();
  await client.authPlain(email, password);
  for (let number = 0; number < messagesPerSession; number++) {
    const reply = await client.send({
      from: email,
      to: ["b@example.net"],
      data: `Subject: ${number}\r\n\r\nx`,
    });
    assert.match(reply, /^250 /);
  }
}

/** What tempts a program to log more than it should. */
async function misuse(lab: AdminDaemon, { email, password }: SandboxAccount): Promise<void> {
  using client = await lab.connect();
  await client.command(`AUTH PLAIN ${btoa(`\0${email}\0wrong-${password}`)}`, "535 *");
  await client.command("AUTH LOGIN", "334 *");
  await client.command(btoa(email), "334 *");
  await client.command(btoa(`wrong-${password}`), "535 *");
  await lab.call("GET", `/admin/nothing?token=${adminToken}`, { headers: { authorization: "Bearer wrong" } });
  await lab.call("GET", `/oauth/callback?code=${password}&state=${password}`);
  await lab.call("POST", "/admin/accounts", { rawBody: `{"password":"${password}",` });
}
