/** A token endpoint that wants to hurt: bounded memory, a 4xx for its account's clients, and others notice nothing. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type DaemonFixture, MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { withstand } from "./bystanders.ts";
import { HostileTokenEndpoint, type Hostility } from "./hostile_token_endpoint.ts";

const VICTIM = { email: "victim@example.com", password: "victim's" };

for (
  const hostility of [
    "an endless body",
    "endless headers",
    "a huge body",
    "a dripping body",
  ] as const satisfies readonly Hostility[]
) {
  Deno.test(`a token endpoint with ${hostility} costs neither memory nor others`, async () => {
    await using fixture = await startDaemonFixture({ config: { global: { oauth2_timeout: 3 } } });
    await using endpoint = await HostileTokenEndpoint.start(hostility);
    await addVictim(fixture, endpoint.url);
    await withstand(fixture, {
      name: `token endpoint, ${hostility}`,
      maxGrowthMebibytes: 40,
      async attack() {
        using client = await SmtpTestClient.connect({ ...fixture.listener(), deadlineMs: 15_000 });
        await client.expect("220 *");
        await client.command("EHLO client.example", "250 *");
        await client.authPlain(VICTIM.email, VICTIM.password);
        await client.command(`MAIL FROM:<${VICTIM.email}>`, "454 4.7.0 *");
        await client.command("QUIT", "221 *");
      },
    });
    assert.ok(endpoint.requests > 0);
    assert.ok(endpoint.sentOctets < 64 * 1024 * 1024, `${endpoint.sentOctets} octets were taken`);
    assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
  });
}

const ODD_TOKENS: readonly [why: string, body: Record<string, unknown>][] = [
  ["with a line end inside", { access_token: "token\r\nRSET" }],
  ["with a control character inside", { access_token: "token\x01auth=Bearer other" }],
  ["that is longer than SMTP takes", { access_token: "x".repeat(100_000) }],
  ["that is no text", { access_token: { a: 1 } }],
  ["of another type", { token_type: "mac" }],
  ["that has expired already", { expires_in: -1 }],
];

for (const [why, body] of ODD_TOKENS) {
  Deno.test(`a token ${why} defers mail and leaves session and log whole`, async () => {
    await using fixture = await startDaemonFixture();
    fixture.tokenEndpoint.always({
      body: { access_token: "token", token_type: "Bearer", expires_in: 3600, ...body },
    });
    using client = await fixture.signIn();
    await client.command(`MAIL FROM:<${MAILBOX.email}>`, /^4[0-9]{2} 4\.[47]\.[0-9] /);
    await client.command("NOOP", "250 *");
    await client.command("QUIT", "221 *");
    await fixture.daemon.stop();
    const worst = fixture.daemon.log.filter(({ level }) => level === "error" || level === "fatal");
    assert.deepEqual(worst, []);
  });
}

Deno.test("tokens that expire at once are not fetched in a loop", async () => {
  await using fixture = await startDaemonFixture();
  const body = { access_token: "token", token_type: "Bearer", expires_in: 0 };
  fixture.tokenEndpoint.always({ body });
  using client = await fixture.signIn();
  const data = "Subject: x\r\n\r\nx";
  assert.match(await client.send({ from: MAILBOX.email, to: ["a@example.net"], data }), /^250 /);
  for (let message = 0; message < 50; message++) await client.command("NOOP", "250 *");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.ok(fixture.tokenEndpoint.requestCount < 10, `${fixture.tokenEndpoint.requestCount} requests`);
});

async function addVictim({ daemon }: DaemonFixture, tokenUrl: string): Promise<void> {
  const token = (await Deno.readTextFile(join(daemon.directory, "state", "admin_token"))).trim();
  const response = await fetch(`${daemon.adminUrl}/admin/accounts`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      ...VICTIM,
      provider: "scripted",
      client_id: MAILBOX.email,
      refresh_token: "refresh-2",
      oauth_token_url: tokenUrl,
      verify: false,
    }),
  });
  const text = await response.text();
  assert.ok(response.ok, text);
}
