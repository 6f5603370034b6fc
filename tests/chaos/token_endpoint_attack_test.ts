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
    "endless body",
    "endless headers",
    "huge body",
    "dripping body",
  ] as const satisfies readonly Hostility[]
) {
  Deno.test(`a token endpoint with an ${hostility} costs neither memory nor others`, async () => {
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
  assert.ok(response.ok, await response.text());
  await response.body?.cancel();
}
