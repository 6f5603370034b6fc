/** What a session puts up with, and what it says when that is exceeded. */

import assert from "node:assert/strict";
import { ACCOUNT, startProxy } from "../support/proxy.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";

const MESSAGE = { from: ACCOUNT, to: ["a@example.net"], data: "x" };

Deno.test("Session checks SIZE at MAIL and the message itself against the provider's limit", async () => {
  await using proxy = await startProxy({ provider: { limits: { messageOctets: 1000 } } });
  using client = await proxy.signIn();
  await client.writeln("EHLO client.example");
  assert.ok((await client.readReply()).includes("250-SIZE 1000"));
  await client.command(`MAIL FROM:<${ACCOUNT}> SIZE=1001`, "552 5.3.4 *");
  assert.equal(proxy.upstream.passages("MAIL"), 0);
  assert.equal(await client.send({ ...MESSAGE, data: "x".repeat(998) }), "250 2.0.0 OK 1-1");
  assert.match(await client.send({ ...MESSAGE, data: "x".repeat(5000) }), /^552 5\.3\.4 /);
  assert.equal(proxy.upstream.messages.length, 1);
  assert.equal(await client.send(MESSAGE), "250 2.0.0 OK 2-1", "the cut connection was not used again");
});

Deno.test("Session refuses recipients beyond the provider's limit with 452, and the others get the message", async () => {
  await using proxy = await startProxy({ provider: { limits: { recipientsPerMessage: 2 } } });
  using client = await proxy.signIn();
  await client.writeln("EHLO client.example");
  assert.ok((await client.readReply()).includes("250-LIMITS RCPTMAX=2"));
  const recipients = ["a", "b", "c"].map((name) => `RCPT TO:<${name}@example.net>\r\n`).join("");
  await client.write(`MAIL FROM:<${ACCOUNT}>\r\n${recipients}DATA\r\n`);
  for (const pattern of ["250 *", "250 *", "250 *", "452 4.5.3 *", "354 *"]) await client.expect(pattern);
  await client.write("x\r\n.\r\n");
  await client.expect("250 *");
  assert.deepEqual(proxy.upstream.messages[0]!.forwardPaths, ["a@example.net", "b@example.net"]);
});

Deno.test("Session ends at the first line of HTTP, so that a web page can't send mail by a browser's request", async () => {
  await using proxy = await startProxy({ accounts: [{ email: ACCOUNT, password: null }] });
  for (const method of ["POST", "get", "OPTIONS", "CONNECT"]) {
    using client = await proxy.connect();
    const dialog = `EHLO x\r\nAUTH PLAIN ${btoa(`\0${ACCOUNT}\0x`)}\r\nMAIL FROM:<${ACCOUNT}>\r\n`;
    await client.write(`${method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${dialog}`);
    await client.dialog`
      S: 220 *
      S: 421 4.7.0 *
      S: <end>
    `;
  }
  for (const octets of [3_000, 20_000]) {
    using client = await proxy.connect();
    await client.write(
      `POST /${"a".repeat(octets)} HTTP/1.1\r\nAccept: */*\r\nHost: 127.0.0.1\r\n\r\nEHLO x\r\n`,
    );
    await client.expect("220 *");
    while (!(await client.readLine()).startsWith("421 4.7.0 ")) {
      assert.doesNotMatch(client.transcript, /S: 250/);
    }
    await client.expectEnd();
  }
  assert.equal(proxy.transactions.length, 0);
});

Deno.test("Session refuses a text line beyond its limit and keeps the rest in step", async () => {
  await using proxy = await startProxy({ submission: { maxTextLineOctets: 1000 } });
  using client = await proxy.signIn();
  assert.match(await client.send({ ...MESSAGE, data: "x".repeat(998) }), /^250 /);
  assert.match(await client.send({ ...MESSAGE, data: `.${".".repeat(998)}` }), /^250 /);
  assert.match(await client.send({ ...MESSAGE, data: `a\r\n${"x".repeat(999)}\r\nNOOP` }), /^554 5\.6\.0 /);
  assert.match(await client.send(MESSAGE), /^250 /);
});

Deno.test("Session refuses bare line ends where the operator wants that", async () => {
  await using proxy = await startProxy({ submission: { bareNewline: "reject" } });
  using client = await proxy.signIn();
  for (const data of ["a\nb", "a\rb", "a\r\n.\nb", "a\n.\r\nb"]) {
    assert.match(await client.send({ ...MESSAGE, data }), /^550 5\.6\.11 /, JSON.stringify(data));
  }
  await client.write("NOOP\n");
  await client.expect("500 5.5.2 *");
  assert.equal(proxy.upstream.messages.length, 0);
});

Deno.test("Session refuses command lines over 2,048 octets and control characters, and stays in step", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  await client.write(
    `NOOP ${"x".repeat(2041)}\r\nNOOP ${"x".repeat(2042)}\r\nNOOP ${"x".repeat(100_000)}\r\nNOOP\r\n`,
  );
  for (const pattern of ["250 *", "500 5.5.2 *", "500 5.5.2 *", "250 *"]) await client.expect(pattern);
  for (const octet of ["\0", "\r", "\x7f", "\x1b"]) {
    await client.write(`MAIL FROM:<a${octet}b@example.com>\r\n`);
    await client.expect("500 5.5.2 *");
  }
  assert.equal(proxy.upstream.passages("MAIL"), 0);
});

Deno.test("Session ends with a line that never ends", async () => {
  await using proxy = await startProxy();
  using client = await proxy.connect();
  await client.expect("220 *");
  await client.write("x".repeat(1_100_000)).catch((error: unknown) => assert.ok(error instanceof Error));
  await client.expect("421 4.5.2 *").catch((error: Error) => assert.match(error.message, /reset/));
  await proxy.waitFor(() => proxy.submission.sessions === 0, "the session's end");
  assert.ok(proxy.logMessages().some((line) => /no line end/.test(line)));
});

Deno.test("Session ends after too many bad commands, all of them answered", async () => {
  await using proxy = await startProxy({ submission: { maxBadCommands: 3 } });
  using client = await proxy.connect();
  await client.expect("220 *");
  await client.write("FOO\r\nRSET x\r\nMAIL FROM:<a@b>\r\nBDAT 1\r\nNOOP\r\n");
  for (const pattern of ["500 5.5.1 *", "501 5.5.4 *", "503 5.5.1 *", "502 5.5.1 *", "421 4.7.0 *"]) {
    await client.expect(pattern);
  }
  await client.expectEnd();
});

Deno.test("Session ends with 421 4.4.2 when its client is silent between commands or inside mail data", async () => {
  await using proxy = await startProxy({ submission: { commandTimeoutMs: 150, dataTimeoutMs: 150 } });
  {
    using silent = await proxy.connect();
    await silent.expect("220 *");
    await silent.write("NOO");
    await silent.expect("421 4.4.2 *");
    await silent.expectEnd();
  }
  using inside = await proxy.signIn();
  await inside.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await inside.command("RCPT TO:<a@example.net>", "250 *");
  await inside.command("DATA", "354 *");
  await inside.write("half");
  await inside.expect("421 4.4.2 *");
  await inside.expectEnd();
  assert.equal(proxy.upstream.messages.length, 0);
  assert.equal(proxy.transactions[0]?.outcome, "deferred");
});

Deno.test("Session takes no deadline from its client while the provider thinks", async () => {
  await using proxy = await startProxy({ submission: { commandTimeoutMs: 100, dataTimeoutMs: 100 } });
  using client = await proxy.signIn();
  proxy.upstream.once("MAIL", { delayMs: 250 });
  proxy.upstream.once("finalDot", { delayMs: 250 });
  assert.match(await client.send(MESSAGE), /^250 /);
});

for (const security of ["none", "starttls", "tls"] as const) {
  Deno.test(`Session stops reading from a client that takes no replies, on a listener with ${security}`, async () => {
    await using proxy = await startProxy({ listeners: [{ security }] });
    const tls = { caCertificate: proxy.upstream.caCertificate };
    using client = await proxy.connect({ deadlineMs: 1000, ...(security === "tls" && { tls }) });
    await client.expect("220 *");
    await assert.rejects(client.write("EHLO x\r\n".repeat(4_000_000)), /no room to write/);
  });
}

for (const security of ["none", "starttls", "tls"] as const) {
  Deno.test(`Session stops reading from a client whose provider takes no more, on a listener with ${security}`, async () => {
    await using proxy = await startProxy({
      upstream: { keepBodies: false, security: "none" },
      listeners: [{ security }],
    });
    const tls = { caCertificate: proxy.upstream.caCertificate };
    using client = await proxy.signIn({ deadlineMs: 20_000, ...(security === "tls" && { tls }) });
    const gate = Promise.withResolvers<void>();
    proxy.upstream.once("body", { until: gate.promise }, { afterOctets: 1 });
    await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
    await client.command("RCPT TO:<a@example.net>", "250 *");
    await client.command("DATA", "354 *");
    const blocks = 48;
    const taken = await countTaken(client, { blocks, gate });
    assert.ok(taken < 16, `${taken} blocks of 1 MB were on their way, and the provider read none`);
    await client.write(".\r\n");
    await client.expect("250 *");
    assert.equal(proxy.upstream.messages[0]!.bodyOctets, blocks * 1_000_000 + 3);
  });
}

/** Sends blocks of 1 MB, and opens the gate when none has gone for a while. @returns how many had gone by then. */
async function countTaken(
  client: SmtpTestClient,
  { blocks, gate }: { blocks: number; gate: PromiseWithResolvers<void> },
): Promise<number> {
  const block = `${"x".repeat(998)}\r\n`.repeat(1000);
  let taken = 0;
  const sending = (async () => {
    for (; taken < blocks; taken++) await client.write(block);
  })();
  let stalledAt = -1;
  while (stalledAt !== taken) {
    stalledAt = taken;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  gate.resolve();
  await sending;
  return stalledAt;
}

Deno.test("Session ends with 421 4.4.2 for a client that says much and doesn't sign in", async () => {
  let nowMs = 1_000_000;
  await using proxy = await startProxy({ now: () => nowMs });
  using stranger = await proxy.connect();
  await stranger.expect("220 *");
  await stranger.command("EHLO x", "250 *");
  using client = await proxy.signIn();
  nowMs += 599_999;
  await stranger.command("NOOP", "250 *");
  nowMs += 1;
  await stranger.command("NOOP", "250 *");
  await stranger.expect("421 4.4.2 *");
  await stranger.expectEnd();
  await client.command("NOOP", "250 *");
});
