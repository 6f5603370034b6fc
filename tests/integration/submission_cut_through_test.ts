/** What the client reads is what the provider said, and the provider reads what the client sent. */

import assert from "node:assert/strict";
import { ACCOUNT, startProxy } from "../support/proxy.ts";

const text = (octets: Uint8Array) => new TextDecoder("latin1").decode(octets);

Deno.test("Relay hands the provider's replies to the client word for word", async () => {
  await using proxy = await startProxy();
  const { upstream } = proxy;
  upstream.once("MAIL", { reply: ["250-2.1.0 Sender <x> is", "250 2.1.0 fine, thank you - gsmtp"] });
  upstream.once("RCPT", {
    reply: ["550-5.1.1 The account does not exist.", "550 5.1.1  Learn more - gsmtp"],
  });
  upstream.once("RCPT", { reply: "251 2.1.5 Will forward" });
  upstream.once("finalDot", { reply: "250 2.0.0 OK <abc@mail> [Hostname=XYZ]" });
  using client = await proxy.signIn();
  await client.writeln(`MAIL FROM:<${ACCOUNT}>`);
  assert.deepEqual(await client.readReply(), [
    "250-2.1.0 Sender <x> is",
    "250 2.1.0 fine, thank you - gsmtp",
  ]);
  await client.writeln("RCPT TO:<nobody@example.net>");
  assert.deepEqual(await client.readReply(), [
    "550-5.1.1 The account does not exist.",
    "550 5.1.1  Learn more - gsmtp",
  ]);
  await client.command("RCPT TO:<b@example.net>", "251 2.1.5 Will forward");
  await client.command("DATA", "354 Go ahead");
  await client.write("x\r\n.\r\n");
  await client.expect("250 2.0.0 OK <abc@mail> [Hostname=XYZ]");
});

Deno.test("Relay shows partly refused recipients, and the message goes to the others", async () => {
  await using proxy = await startProxy();
  proxy.upstream.always(
    "RCPT",
    ({ line }) => line?.includes("bad") ? { reply: "550 5.1.1 No such user" } : undefined,
  );
  using client = await proxy.signIn();
  await client.dialog`
    C: MAIL FROM:<${ACCOUNT}>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
    C: RCPT TO:<bad@example.net>
    S: 550 5.1.1 No such user
    C: RCPT TO:<c@example.net>
    S: 250 *
    C: DATA
    S: 354 *
    C: x
    C: .
    S: 250 *
  `;
  assert.deepEqual(proxy.upstream.messages[0]!.forwardPaths, ["a@example.net", "c@example.net"]);
  const { outcome, recipients, refusedRecipients } = proxy.transactions[0]!;
  assert.deepEqual({ outcome, recipients, refusedRecipients }, {
    outcome: "relayed",
    recipients: 2,
    refusedRecipients: 1,
  });
});

Deno.test("Relay says 354 only after the provider's, and its refusal of DATA is the client's", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const gate = Promise.withResolvers<void>();
  proxy.upstream.once("DATA", { until: gate.promise, then: { reply: "452 4.3.1 Out of storage" } });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "250 *");
  await client.writeln("DATA");
  await proxy.upstream.waitFor(() => proxy.upstream.passages("DATA") === 1, "DATA");
  gate.resolve();
  await client.expect("452 4.3.1 Out of storage");
  assert.match(await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "x" }), /^250 /);
});

Deno.test("Relay passes the parameters that the provider offers, and no others", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  await client.dialog`
    C: mail from: <${ACCOUNT}> size=100 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ314159 AUTH=<>
    S: 250 *
    C: rcpt to:<a@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@Example.org
    S: 250 *
    C: data
    S: 354 *
    C: .
    S: 250 *
  `;
  assert.deepEqual(proxy.upstream.messages[0]!.commands.map(text), [
    `MAIL FROM:<${ACCOUNT}> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159\r\n`,
    "RCPT TO:<a@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@Example.org\r\n",
    "DATA\r\n",
  ]);
  assert.equal(text(proxy.upstream.messages[0]!.body), ".\r\n");
});

Deno.test("Relay sends one command at a time to a provider without PIPELINING", async () => {
  await using proxy = await startProxy({ upstream: { extensions: ["8BITMIME"] } });
  const waiting: string[] = [];
  proxy.upstream.always("MAIL", ({ connection }) => void waiting.push(connection.commandLines.at(-1)!));
  using client = await proxy.signIn();
  await client.write(`MAIL FROM:<${ACCOUNT}> SIZE=7\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`);
  for (const pattern of ["250 *", "250 *", "354 *"]) await client.expect(pattern);
  await client.write("x\r\n.\r\n");
  await client.expect("250 *");
  assert.deepEqual(waiting, [`MAIL FROM:<${ACCOUNT}>`], "SIZE isn't offered there");
});

Deno.test("Relay answers a pipelined DATA without a valid recipient and keeps the connection", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  using client = await proxy.signIn();
  const group = `MAIL FROM:<${ACCOUNT}>\r\nRCPT TO:<bad@example.net>\r\nDATA\r\n`;
  for (
    const [data, expected] of [["503 5.5.1 RCPT first", "503 5.5.1 RCPT first"], [
      "354 go",
      "554 5.5.1 *",
    ]] as const
  ) {
    proxy.upstream.once("RCPT", { reply: "550 5.1.1 No such user" });
    proxy.upstream.once("DATA", { reply: data });
    await client.write(group);
    await client.expect("250 *");
    await client.expect("550 5.1.1 *");
    await client.expect(expected);
    assert.match(await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "x" }), /^250 /);
  }
  assert.equal(proxy.upstream.connections.length, 1);
  const [commands] = proxy.upstream.connections.map(({ commandLines }) => commandLines);
  assert.ok(commands!.includes("RSET"), "the abandoned transaction is reset before the next");
});

Deno.test("Relay drops a connection on which the provider says 354 behind a refused MAIL", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  using client = await proxy.signIn();
  proxy.upstream.once("MAIL", { reply: "550 5.7.60 Not allowed to send as this sender" });
  proxy.upstream.once("DATA", { reply: "354 go" });
  await client.write("MAIL FROM:<other@example.com>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n");
  await client.expect("550 5.7.60 *");
  await client.expect("503 5.5.1 *");
  await client.expect("503 5.5.1 *");
  assert.match(await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "x" }), /^250 2\.0\.0 OK 2-1/);
});

Deno.test("Relay writes the final reply at once, even when the next MAIL is pipelined behind the dot", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const gate = Promise.withResolvers<void>();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "250 *");
  await client.command("DATA", "354 *");
  proxy.upstream.once("MAIL", { until: gate.promise });
  await client.write(`x\r\n.\r\nMAIL FROM:<${ACCOUNT}>\r\n`);
  await client.expect("250 2.0.0 OK 1-1");
  gate.resolve();
  await client.expect("250 2.1.0 OK");
});

Deno.test("Relay resets an abandoned transaction before the next one on that connection", async () => {
  await using proxy = await startProxy({ provider: { limits: { connections: 1 } } });
  using client = await proxy.signIn();
  for (const abandon of ["RSET", "EHLO client.example"]) {
    await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
    await client.command("RCPT TO:<secret@example.net>", "250 *");
    await client.command(abandon, "250 *");
    await client.command("RCPT TO:<a@example.net>", "503 5.5.1 *");
    assert.match(await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "x" }), /^250 /);
    assert.deepEqual(proxy.upstream.messages.at(-1)!.forwardPaths, ["a@example.net"]);
  }
  assert.equal(proxy.upstream.connections.length, 1);
  assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), [
    "abandoned",
    "relayed",
    "abandoned",
    "relayed",
  ]);
});

Deno.test("Dry run ends before DATA upstream and says so", async () => {
  await using proxy = await startProxy({
    submission: { dryRun: true },
    provider: { limits: { connections: 1 } },
  });
  using client = await proxy.signIn();
  proxy.upstream.once("RCPT", { reply: "550 5.1.1 No such user" });
  for (let message = 0; message < 2; message++) {
    await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
    await client.command("RCPT TO:<a@example.net>", message === 0 ? "550 5.1.1 *" : "250 *");
    await client.command("RCPT TO:<b@example.net>", "250 *");
    await client.command("DATA", "354 *");
    await client.write("x\r\n..\r\n.\r\n");
    await client.expect("250 2.0.0 *(dry run)");
  }
  assert.equal(proxy.upstream.passages("DATA"), 0);
  assert.equal(proxy.upstream.messages.length, 0);
  assert.ok(proxy.upstream.connections[0]!.commandLines.includes("RSET"));
  assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), ["dry-run", "dry-run"]);
});

Deno.test("Dry run says no more than 4yz once the connection is lost", async () => {
  await using proxy = await startProxy({ submission: { dryRun: true } });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "250 *");
  proxy.upstream.once("RCPT", "close");
  await client.command("RCPT TO:<b@example.net>", "451 4.4.2 *");
  await client.command("DATA", "451 4.4.2 *");
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), ["deferred"]);
});

Deno.test("Dry run refuses DATA without a valid recipient", async () => {
  await using proxy = await startProxy({ submission: { dryRun: true } });
  using client = await proxy.signIn();
  proxy.upstream.always("RCPT", { reply: "550 5.1.1 No such user" });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.write("RCPT TO:<a@example.net>\r\nDATA\r\n");
  await client.expect("550 5.1.1 *");
  await client.expect("554 5.5.1 *");
  assert.deepEqual(proxy.transactions.map(({ outcome }) => outcome), ["abandoned"]);
  assert.equal(proxy.pool().state.idle, 1, "its connection is free for others");
});

Deno.test("add_received_header prepends a trace field, and the message behind it is untouched", async () => {
  await using proxy = await startProxy({
    submission: { addReceivedHeader: true },
  });
  using client = await proxy.signIn();
  await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "Received: from x\r\n\r\n..\r\n\u00e4" });
  const body = text(proxy.upstream.messages[0]!.body);
  const [field] = /^(?:.*\r\n)(?:\t.*\r\n)*/.exec(body)!;
  assert.match(
    field,
    /^Received: from client\.example \(\[127\.0\.0\.1\]\)\r\n\tby proxy\.test with ESMTPA id 0001\.1;\r\n\t[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000\r\n$/,
  );
  assert.equal(body.slice(field.length), "Received: from x\r\n\r\n..\r\n\u00c3\u00a4\r\n.\r\n");
});
