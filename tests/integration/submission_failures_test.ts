/** Providers and tokens that fail: always a 4xx with an enhanced code, and the session goes on. */

import assert from "node:assert/strict";
import { FixedTokens, TokenFailureError } from "../support/fixed_tokens.ts";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";
import type { Action } from "../support/upstream_script.ts";

const MESSAGE = { from: ACCOUNT, to: ["a@example.net"], data: "x" };

async function assertStillWorks(proxy: TestProxy, client: SmtpTestClient): Promise<void> {
  proxy.upstream.script.clear();
  assert.match(await client.send(MESSAGE), /^250 2\.0\.0 /);
  assert.equal(proxy.pool().state.transactions, 0);
}

for (const ending of ["close", "reset"] as const) {
  Deno.test(`Relay defers a message whose provider ends by ${ending} inside the body`, async () => {
    await using proxy = await startProxy();
    using client = await proxy.signIn();
    proxy.upstream.once("body", ending, { afterOctets: 1000 });
    const reply = await client.send({ ...MESSAGE, data: "0123456789\r\n".repeat(100_000) });
    assert.match(reply, /^451 4\.4\.2 /);
    assert.equal(proxy.upstream.messages.length, 0);
    assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), ["deferred"]);
    await assertStillWorks(proxy, client);
  });
}

for (const security of ["none", "starttls"] as const) {
  for (const ending of ["close", "reset", undefined] as const) {
    const then = ending === undefined ? "reads on" : `ends by ${ending}`;
    Deno.test(`Relay hands on what a provider says inside the body before it ${then}, ${security}`, async () => {
      await using proxy = await startProxy({ upstream: { security, keepBodies: false } });
      using client = await proxy.signIn({ deadlineMs: 10_000 });
      const said = { reply: "552 5.3.4 Message too big - gsmtp", ...(ending && { then: ending }) };
      proxy.upstream.once("body", said, { afterOctets: 100_000 });
      const reply = await client.send({ ...MESSAGE, data: "0123456789\r\n".repeat(1_000_000) });
      // A reset may overtake what was said before it: the client comes again then.
      assert.match(
        reply,
        ending === "reset" ? /^(552 5\.3\.4|451 4\.4\.2) / : /^552 5\.3\.4 Message too big/,
      );
      assert.equal(proxy.transactions[0]?.outcome, reply.startsWith("5") ? "rejected" : "deferred");
      proxy.upstream.script.clear();
      if (ending !== undefined) await assertStillWorks(proxy, client);
    });
  }
}

const AFTER_THE_DOT: readonly (readonly [why: string, action: Action, reply: RegExp])[] = [
  ["ends by close", "close", /^451 4\.4\.2 /],
  ["ends by reset", "reset", /^451 4\.4\.2 /],
  ["accepts and never says so", { accept: true, then: "close" }, /^451 4\.4\.2 /],
  ["is silent", "hang", /^451 4\.4\.2 .*did not answer in time/],
  ["talks nonsense", { reply: "hello?" }, /^451 4\.4\.2 /],
  ["says 354 again", { reply: "354 more" }, /^451 4\.4\.2 /],
];

for (const [why, action, expected] of AFTER_THE_DOT) {
  Deno.test(`Relay defers a message whose provider ${why} after the final dot, and logs that its fate is unknown`, async () => {
    const replyTimeouts = { commandMs: 5000, dataMs: 5000, dataBlockMs: 5000, finalReplyMs: 100 };
    await using proxy = await startProxy({ replyTimeouts });
    using client = await proxy.signIn();
    proxy.upstream.once("finalDot", action);
    assert.match(await client.send(MESSAGE), expected);
    assert.equal(proxy.transactions[0]?.outcomeUnknown, true);
    await assertStillWorks(proxy, client);
  });
}

const FINAL_REPLIES: readonly (readonly [said: string, read: string, outcome: string])[] = [
  ["552 5.2.3 Too large", "552 5.2.3 Too large", "rejected"],
  ["554 5.2.252 SendAsDenied; a not allowed", "554 5.2.252 SendAsDenied; a not allowed", "rejected"],
  ["451 4.3.0 Later - gsmtp", "451 4.3.0 Later - gsmtp", "deferred"],
  [
    "421 4.7.0 Try again later, closing connection",
    "451 4.7.0 Try again later, closing connection",
    "deferred",
  ],
  ["421 too busy", "451 4.3.2 too busy", "deferred"],
];

for (const [said, read, outcome] of FINAL_REPLIES) {
  Deno.test(`Relay hands on the final reply ${said.slice(0, 9)} as ${read.slice(0, 9)}`, async () => {
    await using proxy = await startProxy({ provider: { pool: { waitTimeoutMs: 5000 } } });
    using client = await proxy.signIn();
    proxy.upstream.once("finalDot", { reply: said });
    assert.equal(await client.send(MESSAGE), read);
    assert.equal(proxy.transactions[0]?.outcome, outcome);
    assert.equal(proxy.transactions[0]?.outcomeUnknown, undefined);
    await assertStillWorks(proxy, client);
  });
}

Deno.test("Relay defers mail while the account needs authorization, never 5xx", async () => {
  const tokens = new FixedTokens();
  await using proxy = await startProxy({ accounts: [{ email: ACCOUNT, tokens }] });
  using client = await proxy.signIn();
  tokens.failure = new TokenFailureError("NEEDS_AUTHORIZATION", "the grant was revoked");
  await client.command(`MAIL FROM:<${ACCOUNT}>`, /^454 4\.7\.0 .*the grant was revoked/);
  tokens.failure = new TokenFailureError("TOKEN_UNAVAILABLE", "the token endpoint answers 503");
  await client.command(`MAIL FROM:<${ACCOUNT}>`, /^454 4\.7\.0 .*answers 503/);
  tokens.failure = undefined;
  await assertStillWorks(proxy, client);
});

Deno.test("Relay defers mail whose sign-in the provider refuses, never 5xx", async () => {
  await using proxy = await startProxy({
    upstream: { accepts: (_, token) => token === "token-3" },
    provider: { pool: { waitTimeoutMs: 1 } },
  });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, /^454 4\.7\.0 .*535/);
  assert.deepEqual(proxy.tokens().invalidated, ["token-1"], "dropped once, tried once more");
});

Deno.test("Relay names the provider's certificate as the cause", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  for (const kind of ["untrusted", "expired", "wrongHost"] as const) {
    proxy.upstream.certificate = proxy.upstream.certificates[kind];
    await client.command(`MAIL FROM:<${ACCOUNT}>`, /^451 4\.4\.1 .*\(tls\).*certificate/);
  }
  proxy.upstream.certificate = proxy.upstream.certificates.leaf;
  await assertStillWorks(proxy, client);
});

Deno.test("Relay defers a group whose provider is down, and answers every command of it", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.refuseConnections();
  await client.write(
    `MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nNOOP\r\n`,
  );
  for (let command = 0; command < 4; command++) await client.expect(/^451 4\.4\.1 /);
  await client.expect("250 *");
  await proxy.upstream.acceptConnections();
  await assertStillWorks(proxy, client);
});

Deno.test("Relay defers what EHLO offered and the provider can't carry, and refuses it once it is known", async () => {
  await using proxy = await startProxy({
    upstream: { extensions: ["PIPELINING"] },
    provider: { knownExtensions: ["8BITMIME", "SMTPUTF8"] },
  });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}> SMTPUTF8`, "451 4.3.0 *");
  await client.command(`MAIL FROM:<${ACCOUNT}> BODY=8BITMIME`, "451 4.3.0 *");
  await client.command("EHLO client.example", "250 *");
  await client.command(`MAIL FROM:<${ACCOUNT}> SMTPUTF8`, "550 5.6.7 *");
  await client.command(`MAIL FROM:<${ACCOUNT}> BODY=8BITMIME`, "554 5.6.3 *");
  assert.equal(proxy.upstream.passages("MAIL"), 0);
  await assertStillWorks(proxy, client);
});

Deno.test("Session of an account that is removed meanwhile reads 454 and lives on", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const mailbox = proxy.mailboxes.get(ACCOUNT)!;
  proxy.mailboxes.delete(ACCOUNT);
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "454 4.7.0 *");
  proxy.mailboxes.set(ACCOUNT, mailbox);
  await assertStillWorks(proxy, client);
});

const PHASES = ["MAIL", "RCPT", "DATA", "body", "octets"] as const;

for (const phase of PHASES) {
  for (const how of ["closes", "half-closes"] as const) {
    Deno.test(`Relay gives everything back when the client ${how} after ${phase}`, async () => {
      await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
      {
        using gone = await proxy.signIn();
        await gone.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
        if (phase !== "MAIL") await gone.command("RCPT TO:<a@example.net>", "250 *");
        if (phase === "DATA" || phase === "body") await gone.command("DATA", "354 *");
        if (phase === "body") await gone.write("half a mess");
        if (phase === "octets") await gone.write("DA");
        if (how === "half-closes") {
          await gone.closeWrite();
          await gone.expectEnd();
        }
      }
      await proxy.waitFor(() => proxy.transactions.length === 1, "the transaction's end");
      assert.equal(proxy.transactions[0]?.outcome, "abandoned");
      using client = await proxy.signIn();
      await assertStillWorks(proxy, client);
      assert.equal(proxy.upstream.messages.length, 1);
    });
  }
}

Deno.test("Relay sees a message through whose client is gone after the final dot", async () => {
  await using proxy = await startProxy();
  const gate = Promise.withResolvers<void>();
  proxy.upstream.once("finalDot", { until: gate.promise });
  {
    using gone = await proxy.signIn();
    await gone.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
    await gone.command("RCPT TO:<a@example.net>", "250 *");
    await gone.command("DATA", "354 *");
    await gone.write("x\r\n.\r\n");
    await proxy.upstream.waitFor(() => proxy.upstream.passages("finalDot") === 1, "the final dot");
  }
  gate.resolve();
  await proxy.waitFor(() => proxy.transactions.length === 1, "the transaction's end");
  assert.equal(proxy.transactions[0]?.outcome, "relayed");
});

for (const verb of ["MAIL", "RCPT", "DATA"] as const) {
  Deno.test(`Relay defers a message when the provider takes the connection for not signed in at ${verb}`, async () => {
    await using proxy = await startProxy();
    using client = await proxy.signIn();
    proxy.upstream.always(verb, { reply: "530 5.7.57 Client not authenticated to send mail" });
    await client.writeln(`MAIL FROM:<${ACCOUNT}>`);
    await client.writeln("RCPT TO:<a@example.net>");
    await client.writeln("DATA");
    const replies = [await client.readReply(), await client.readReply(), await client.readReply()].flat();
    assert.match(replies.at(-1)!, /^45[14] 4\./);
    assert.ok(replies.every((reply) => !reply.startsWith("5")), replies.join("\n"));
    await client.command("RSET", "250 *");
    await assertStillWorks(proxy, client);
  });
}

Deno.test("Relay signs in anew when a used connection has lost its sign-in, unseen by the client", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  assert.match(await client.send(MESSAGE), /^250 /);
  proxy.upstream.once("MAIL", { reply: "530 5.7.57 Client not authenticated to send mail" });
  assert.match(await client.send(MESSAGE), /^250 /);
  assert.equal(proxy.upstream.messages.length, 2);
});

Deno.test("Relay makes a sign-in refusal behind the final dot a deferral", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("finalDot", { reply: "535 5.7.3 Authentication unsuccessful" });
  assert.match(await client.send(MESSAGE), /^454 4\.7\.0 /);
  await assertStillWorks(proxy, client);
});

Deno.test("Relay answers DATA with 4yz when its recipients were only deferred", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("RCPT", { reply: "450 4.2.1 Try again later" });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "450 *");
  await client.command("DATA", "451 4.5.1 *");
  await client.command("RSET", "250 *");
  proxy.upstream.always("RCPT", "close");
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "451 4.4.2 *");
  await client.command("DATA", "451 4.4.2 *");
});

Deno.test("Relay answers every command of a group that a defect has struck, and the others go on", async () => {
  await using proxy = await startProxy();
  const tokens = proxy.tokens();
  using other = await proxy.signIn();
  using client = await proxy.signIn();
  tokens.failure = new RangeError("a defect");
  await client.write(`MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`);
  await client.expect("451 4.3.0 *");
  await client.expect("451 4.3.0 *");
  await client.expect("451 4.3.0 *");
  tokens.failure = undefined;
  assert.match(await other.send(MESSAGE), /^250 /);
  assert.equal(proxy.pool().state.transactions, 0);
});
