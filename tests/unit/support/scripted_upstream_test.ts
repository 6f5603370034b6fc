import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ScriptedUpstream } from "../../support/scripted_upstream.ts";
import { SmtpTestClient } from "../../support/smtp_client.ts";
import type { Phase } from "../../support/upstream_script.ts";

const MESSAGE = { from: "a@example.com", to: ["b@example.net"], data: "Subject: x\r\n\r\n..dot" };

async function signedIn(upstream: ScriptedUpstream, user = "a@example.com"): Promise<SmtpTestClient> {
  using stack = new DisposableStack();
  const client = stack.use(await SmtpTestClient.connect(upstream.endpoint));
  await client.openSecurely(upstream);
  assert.match(await client.authXoauth2(user, "token"), /^235 /);
  stack.move();
  return client;
}

Deno.test("ScriptedUpstream keeps the octets of a transaction inside STARTTLS", async () => {
  await using upstream = await ScriptedUpstream.start();
  using client = await signedIn(upstream);
  assert.match(await client.send(MESSAGE), /^250 2\.0\.0 /);
  const [message] = upstream.messages;
  assert.equal(Buffer.from(message!.body).toString(), "Subject: x\r\n\r\n..dot\r\n.\r\n");
  assert.equal(Buffer.from(message!.mailData).toString(), "Subject: x\r\n\r\n.dot\r\n");
  assert.deepEqual(message!.forwardPaths, ["b@example.net"]);
  assert.equal(Buffer.from(message!.commands[0]!).toString(), "MAIL FROM:<a@example.com>\r\n");
  assert.equal(message!.connection.mailbox, "a@example.com");
});

Deno.test("ScriptedUpstream speaks implicit TLS and plain text", async () => {
  for (const security of ["tls", "none"] as const) {
    await using upstream = await ScriptedUpstream.start({ security });
    using client = await SmtpTestClient.connect({
      ...upstream.endpoint,
      ...(security === "tls" ? { tls: upstream } : {}),
    });
    await client.dialog`
      S: 220 upstream.test ESMTP
      C: EHLO client.example
      S: 250-upstream.test *
      S: 250-SIZE *
      S: 250 AUTH XOAUTH2
      C: MAIL FROM:<a@example.com>
      S: 530 5.7.0 *
      C: QUIT
      S: 221 2.0.0 *
      S: <end>
    `;
    assert.equal(upstream.connections[0]?.secure, security === "tls");
  }
});

Deno.test("ScriptedUpstream refuses a wrong token in two steps like Google, in one like Microsoft", async () => {
  for (const refusalStyle of ["google", "microsoft"] as const) {
    await using upstream = await ScriptedUpstream.start({
      refusalStyle,
      accepts: (_, token) => token === "good",
    });
    using client = await SmtpTestClient.connect(upstream.endpoint);
    await client.openSecurely(upstream);
    const first = await client.authXoauth2("a@example.com", "bad");
    if (refusalStyle === "google") {
      assert.equal(JSON.parse(atob(first.slice(4))).status, "400");
      await client.command("", "535 5.7.8 *");
    } else assert.match(first, /^535 5\.7\.3 /);
    assert.match(await client.authXoauth2("a@example.com", "good"), /^235 /);
  }
});

const PHASES_WITH_ENDINGS: readonly Phase[] = [
  "greeting",
  "EHLO",
  "STARTTLS",
  "AUTH",
  "authResponse",
  "MAIL",
  "RCPT",
  "DATA",
  "body",
  "finalDot",
  "connect",
  "tls",
];
for (const phase of PHASES_WITH_ENDINGS) {
  Deno.test(`ScriptedUpstream closes and resets at ${phase}, once`, async () => {
    await using upstream = await ScriptedUpstream.start();
    for (const ending of ["close", "reset"] as const) {
      upstream.once(phase, ending);
      await assert.rejects(async () => {
        using client = await signedIn(upstream);
        await client.send(MESSAGE);
      });
      await upstream.waitFor(() => upstream.openConnections === 0, `the connection's end at ${phase}`);
    }
    assert.equal(upstream.messages.length, 0);
    using client = await signedIn(upstream);
    assert.match(await client.send(MESSAGE), /^250 /);
  });
}

Deno.test("ScriptedUpstream replies what the script says, and counts only accepted messages", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.once("finalDot", { reply: ["451-4.3.0 later", "451 4.3.0 please"] });
  upstream.once("RCPT", { reply: "550 5.1.1 no such user" });
  upstream.once("QUIT", { drip: "221 2.0.0 slowly", octetIntervalMs: 1 });
  using client = await signedIn(upstream);
  await client.dialog`
    C: MAIL FROM:<a@example.com>
    S: 250 *
    C: RCPT TO:<nobody@example.net>
    S: 550 5.1.1 no such user
    C: RSET
    S: 250 *
  `;
  assert.equal(await client.send(MESSAGE), "451 4.3.0 please");
  assert.match(await client.send(MESSAGE), /^250 /);
  await client.command("QUIT", "221 2.0.0 slowly");
  const [{ transactions }] = upstream.connections as [typeof upstream.connections[0]];
  assert.deepEqual(transactions.map((transaction) => transaction.outcome), [
    "abandoned",
    "refused",
    "accepted",
  ]);
  assert.equal(upstream.messages.length, 1);
});

Deno.test("ScriptedUpstream waits for a test's promise, and hangs until the client leaves", async () => {
  await using upstream = await ScriptedUpstream.start();
  const gate = Promise.withResolvers<void>();
  upstream.once("DATA", { until: gate.promise });
  upstream.once("finalDot", "hang");
  {
    using client = await signedIn(upstream);
    const sent = client.send(MESSAGE).catch(() => "the client left");
    await upstream.waitFor(() => upstream.passages("DATA") === 1, "DATA");
    assert.equal(upstream.passages("body"), 0);
    gate.resolve();
    await upstream.waitFor(() => upstream.passages("finalDot") === 1, "the final dot");
    client[Symbol.dispose]();
    assert.equal(await sent, "the client left");
  }
  await upstream.waitFor(() => upstream.openConnections === 0, "the client's leaving");
  assert.equal(upstream.messages.length, 0);
});

Deno.test("ScriptedUpstream can accept a message and keep its reply to itself", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.once("finalDot", { accept: true, then: "reset" });
  using client = await signedIn(upstream);
  await assert.rejects(client.send(MESSAGE), /reset/);
  assert.equal(upstream.messages.length, 1);
});

Deno.test("ScriptedUpstream limits the connections of a mailbox at AUTH or MAIL", async () => {
  for (const at of ["AUTH", "MAIL"] as const) {
    await using upstream = await ScriptedUpstream.start({ connectionLimit: { perMailbox: 2, at } });
    using _first = await signedIn(upstream);
    using _second = await signedIn(upstream);
    using _other = await signedIn(upstream, "other@example.com");
    using third = await SmtpTestClient.connect(upstream.endpoint);
    await third.openSecurely(upstream);
    if (at === "MAIL") {
      assert.match(await third.authXoauth2("A@example.com", "token"), /^235 /);
      await third.command("MAIL FROM:<a@example.com>", "432 4.3.2 *");
    } else assert.match(await third.authXoauth2("A@example.com", "token"), /^432 4\.3\.2 /);
    assert.equal(upstream.highestOpenConnections, 4);
    assert.equal(upstream.highestOpenConnectionsOf("a@example.com"), at === "MAIL" ? 3 : 2);
  }
});

Deno.test("ScriptedUpstream ends idle connections only", async () => {
  await using upstream = await ScriptedUpstream.start();
  for (const [how, end] of [["close", "closed"], ["reset", "reset"], ["421", "closed"]] as const) {
    using idle = await signedIn(upstream);
    using busy = await signedIn(upstream);
    await busy.command("MAIL FROM:<a@example.com>", "250 *");
    await upstream.waitFor(() => upstream.endIdleConnections(how) === 1, "one idle connection");
    if (how === "421") await idle.expect("421 4.4.2 *");
    assert.equal(await idle.expectEnd(), end);
    await busy.command("RSET", "250 *");
    busy[Symbol.dispose]();
    idle[Symbol.dispose]();
    await upstream.waitFor(() => upstream.openConnections === 0, "the end of both");
  }
});

Deno.test("ScriptedUpstream refuses connections and takes them again at the same port", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.refuseConnections();
  await assert.rejects(SmtpTestClient.connect(upstream.endpoint), Deno.errors.ConnectionRefused);
  await upstream.acceptConnections();
  using client = await signedIn(upstream);
  await client.command("NOOP", "250 *");
});

Deno.test("ScriptedUpstream shows another certificate when told to", async () => {
  await using upstream = await ScriptedUpstream.start();
  for (const name of ["wrongHost", "expired", "untrusted"] as const) {
    upstream.certificate = upstream.certificates[name];
    await assert.rejects(signedIn(upstream), Deno.errors.InvalidData);
  }
});

Deno.test("ScriptedUpstream drops what was pipelined in clear behind STARTTLS", async () => {
  await using upstream = await ScriptedUpstream.start();
  using client = await SmtpTestClient.connect(upstream.endpoint);
  await client.expect("220 *");
  await client.command("EHLO client.example", "250 *");
  await client.write("STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n");
  await client.expect("220 *");
  await client.startTls(upstream);
  await client.command("NOOP", "250 *");
  assert.equal(
    Buffer.from(upstream.connections[0]!.clearTextBehindStartTls).toString(),
    "MAIL FROM:<evil@example.com>\r\n",
  );
});

Deno.test("ScriptedUpstream takes BDAT chunks", async () => {
  await using upstream = await ScriptedUpstream.start({ extensions: ["CHUNKING"] });
  using client = await signedIn(upstream);
  await client.command("MAIL FROM:<a@example.com>", "250 *");
  await client.command("RCPT TO:<b@example.net>", "250 *");
  await client.write("BDAT 5\r\nab\r\n.");
  await client.expect("250 *");
  await client.write("BDAT 4 LAST\r\n\r\nc\n");
  await client.expect("250 *");
  assert.equal(Buffer.from(upstream.messages[0]!.body).toString(), "ab\r\n.\r\nc\n");
});

Deno.test("ScriptedUpstream takes 2,000 messages and 1,000 connections", async () => {
  await using upstream = await ScriptedUpstream.start({ security: "none" });
  const clients = await Promise.all(
    Array.from({ length: 1000 }, () => SmtpTestClient.connect({ ...upstream.endpoint, deadlineMs: 20_000 })),
  );
  await Promise.all(clients.map(async (client) => {
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.authXoauth2("a@example.com", "token");
    await client.send(MESSAGE);
    await client.send(MESSAGE);
  }));
  assert.equal(upstream.messages.length, 2000);
  assert.equal(upstream.highestOpenConnections, 1000);
  clients.forEach((client) => client[Symbol.dispose]());
});
