/** The failures that every operator meets, at the real daemon: what the client reads, what the log says, and that it lives on. */

import assert from "node:assert/strict";
import { type DaemonFixture, MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";

const MESSAGE = { from: MAILBOX.email, to: ["a@example.net"], data: "x" };

/** Back-off and breaker small, so that what is mended works again at once. */
const QUICK = {
  provider: {
    retry: { max_attempts: 1, max_delay_seconds: 0 },
    circuit_breaker: { enabled: false },
    connection_pool: { wait_timeout_seconds: 5 },
  },
  config: { global: { oauth2_timeout: 2 } },
};

async function assertLogged({ daemon }: DaemonFixture, pattern: RegExp): Promise<void> {
  await daemon.waitForLog(({ message }) => pattern.test(message), String(pattern));
}

async function assertLivesOn(fixture: DaemonFixture, client: SmtpTestClient): Promise<void> {
  fixture.upstream.script.clear();
  assert.match(await client.send(MESSAGE), /^250 2\.0\.0 /);
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
  const text = JSON.stringify(fixture.daemon.log);
  for (const secret of [MAILBOX.password, "secret-of-client", "refresh-1", "token-1"]) {
    assert.ok(!text.includes(secret), `the log holds ${secret}`);
  }
}

/** Asks again and again, as a mail server's queue does, until MAIL is accepted. */
async function retryMail(client: SmtpTestClient): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await client.writeln(`MAIL FROM:<${MAILBOX.email}>`);
    if ((await client.readReply()).at(-1)!.startsWith("250 ")) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`MAIL was not accepted again\n${client.transcript}`);
}

Deno.test("Daemon refuses a wrong password and an unknown account alike, and says in the log whose it was", async () => {
  await using fixture = await startDaemonFixture(QUICK);
  for (
    const [username, password] of [[MAILBOX.email, "wrong"], [
      "nobody@example.com",
      MAILBOX.password,
    ]] as const
  ) {
    using client = await SmtpTestClient.connect(fixture.listener());
    await client.expect("220 *");
    await client.command("EHLO x", "250 *");
    await client.command(
      `AUTH PLAIN ${btoa(`\0${username}\0${password}`)}`,
      "535 5.7.8 Authentication credentials invalid",
    );
    await client.command("NOOP", "250 *");
    await assertLogged(fixture, new RegExp(`Sign-in refused for ${username}.*account list`));
  }
  using client = await fixture.signIn();
  await assertLivesOn(fixture, client);
});

Deno.test("Daemon gets another token when the provider refuses an expired one, and the client sees nothing of it", async () => {
  const accepted = new Set(["token-1"]);
  await using fixture = await startDaemonFixture({
    ...QUICK,
    upstream: { accepts: (_, token) => accepted.has(token) },
  });
  using client = await fixture.signIn();
  assert.match(await client.send(MESSAGE), /^250 /);
  accepted.clear();
  accepted.add("token-2");
  fixture.upstream.endIdleConnections("close");
  assert.match(await client.send(MESSAGE), /^250 /);
  assert.equal(fixture.tokenEndpoint.requestCount, 2);
  await assertLivesOn(fixture, client);
});

Deno.test("Daemon defers with 454 when the grant is revoked, and tells the operator to authorize again", async () => {
  await using fixture = await startDaemonFixture(QUICK);
  fixture.tokenEndpoint.once({
    status: 400,
    body: { error: "invalid_grant", error_description: "Token has been expired or revoked." },
  });
  using client = await fixture.signIn();
  await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^454 4\.7\.0 .*authoriz/);
  await client.command("NOOP", "250 *");
  await assertLogged(fixture, /authoriz/i);
  assert.equal(fixture.tokenEndpoint.requestCount, 1);
  await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^454 4\.7\.0 /);
  assert.equal(fixture.tokenEndpoint.requestCount, 1, "no more requests until the account changes");
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
});

Deno.test("Daemon defers with 454 while the token endpoint fails, and goes on when it is back", async () => {
  await using fixture = await startDaemonFixture(QUICK);
  fixture.tokenEndpoint.once({ status: 503, body: "Service Unavailable" });
  using client = await fixture.signIn();
  await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^454 4\.7\.0 /);
  await assertLogged(fixture, /503/);
  await retryMail(client);
  await client.command("RSET", "250 *");
  await assertLivesOn(fixture, client);
});

Deno.test("Daemon defers with 451 4.4.1 while the provider is down, and goes on when it is back", async () => {
  await using fixture = await startDaemonFixture(QUICK);
  using client = await fixture.signIn();
  fixture.upstream.refuseConnections();
  await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^451 4\.4\.1 .*connect/);
  await assertLogged(fixture, /451 4\.4\.1/);
  await fixture.upstream.acceptConnections();
  await assertLivesOn(fixture, client);
});

Deno.test("Daemon sends no token to a provider with a bad certificate, defers with 451 4.4.1 and names ca_file", async () => {
  await using fixture = await startDaemonFixture(QUICK);
  const { upstream } = fixture;
  using client = await fixture.signIn();
  upstream.certificate = upstream.certificates.untrusted;
  await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^451 4\.4\.1 .*certificate/);
  await assertLogged(fixture, /ca_file/);
  for (const kind of ["expired", "wrongHost"] as const) {
    upstream.certificate = upstream.certificates[kind];
    await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^451 4\.4\.1 .*certificate/);
  }
  assert.ok(upstream.connections.every(({ accessToken }) => accessToken === undefined));
  upstream.certificate = upstream.certificates.leaf;
  await assertLivesOn(fixture, client);
});

Deno.test("Daemon shows listeners a renewed certificate after SIGHUP, sessions standing", async () => {
  await using fixture = await startDaemonFixture({ ...QUICK, listeners: [{ security: "tls" }, {}] });
  using standing = await SmtpTestClient.connect(fixture.listener(1));
  await standing.expect("220 *");
  const { certificates } = fixture.upstream;
  const renewed = {
    certificate_file: fixture.caFile.replace("ca.pem", "certificate.pem"),
    private_key_file: fixture.caFile.replace("ca.pem", "key.pem"),
  };
  await Deno.writeTextFile(renewed.certificate_file, certificates.untrusted.certificate);
  await Deno.writeTextFile(renewed.private_key_file, certificates.untrusted.privateKey);
  fixture.daemon.signal("SIGHUP");
  await assertLogged(fixture, /^Reloaded in/);
  using newcomer = await SmtpTestClient.connect(fixture.listener(0));
  await assert.rejects(newcomer.startTls({ caCertificate: certificates.caCertificate }), /UnknownIssuer/);
  await standing.command("EHLO x", "250 *");
});
