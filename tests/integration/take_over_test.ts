/** `start --take-over`: a second daemon takes the ports of the first while that one drains. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type DaemonFixture, MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { arrivedIds, SteadySenders } from "../support/steady_senders.ts";

const limit = 3;
const elsewhere = Deno.build.os === "linux" ? "" : " (skipped: not Linux)";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${elsewhere}`, ignore: elsewhere !== "", fn });
}

/** A daemon whose provider allows a mailbox three connections, and counts them. */
async function startFirst(security: "none" | "starttls" = "none"): Promise<DaemonFixture> {
  return await startDaemonFixture({
    upstream: { connectionLimit: { perMailbox: limit, at: "AUTH" } },
    provider: { limits: { connections: limit } },
    listeners: [{ security, require_tls_for_auth: false }],
  });
}

interface SecondOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The newcomer, with the files, ports and state of the first. It is not waited for. */
async function startSecond(
  { daemon }: DaemonFixture,
  { args = ["--take-over"], env = {} }: SecondOptions = {},
) {
  const { listeners: [listener], admin } = daemon.ready;
  return await DaemonProcess.start({
    config: join(daemon.directory, "config.json"),
    accounts: join(daemon.directory, "accounts.json"),
    args: ["--port", String(listener!.port), "--admin-port", String(admin.port), ...args],
    env: { STATE_DIRECTORY: join(daemon.directory, "state"), ...env },
    waitsUntilReady: false,
  });
}

function says(text: string): (event: { message: string }) => boolean {
  return ({ message }) => message.includes(text);
}

/** Connects when the first daemon listens no more: the session is the newcomer's. */
async function connectToSecond({ daemon, listener }: DaemonFixture): Promise<SmtpTestClient> {
  await daemon.waitForLog(says("Drain step listeners"), "The first daemon's closed listener");
  const client = await SmtpTestClient.connect({ port: listener().port, deadlineMs: 15_000 });
  await client.expect("220 *");
  return client;
}

for (const security of ["none", "starttls"] as const) {
  test(`A take-over under load refuses no connection and loses no message, listener with ${security}`, async () => {
    await using fixture = await startFirst(security);
    const { daemon, upstream } = fixture;
    const { port } = fixture.listener();
    const senders = new SteadySenders({ port, ...MAILBOX, count: 6 });
    await senders.waitForMore(30);
    await using second = await startSecond(fixture);
    await second.waitUntilReady();
    await senders.waitForMore(30);
    await senders.stop();
    assert.deepEqual(await daemon.exited, { code: 0, signal: null });
    assert.equal(senders.refused, 0);
    const unexpected = senders.interruptions.filter((text) =>
      !/S: 4[25]1 4\.3\.2 |^4[25]1 4\.3\.2 /m.test(text)
    );
    assert.deepEqual(unexpected, []);
    const arrived = new Set(arrivedIds(upstream.messages));
    assert.deepEqual(
      senders.acknowledged.filter((id) => !arrived.has(id)),
      [],
      "acknowledged, but not there",
    );
    assert.ok(upstream.highestOpenConnectionsOf(MAILBOX.email) <= limit);
    assert.deepEqual(await second.stop(), { code: 0, signal: null });
  });
}

test("Messages of the newcomer wait until the first has let go of its connections", async () => {
  await using fixture = await startFirst();
  const { upstream, daemon } = fixture;
  using old = await fixture.signIn();
  await old.command(`MAIL FROM:<${MAILBOX.email}>`, "250 *");
  await old.command("RCPT TO:<someone@example.com>", "250 *");
  await old.command("DATA", "354 *");
  await old.write("Subject: half");
  await using _second = await startSecond(fixture);
  using client = await connectToSecond(fixture);
  await client.command("EHLO client.example", "250 *");
  await client.authPlain(MAILBOX.email, MAILBOX.password);
  await client.writeln(`MAIL FROM:<${MAILBOX.email}>`);
  // The newcomer has had time for more than a dial when all of these are answered.
  using other = await fixture.signIn();
  for (let count = 0; count < 300; count++) await other.command("NOOP", "250 *");
  assert.equal(upstream.connections.length, 1);

  await old.write(" of it\r\n.\r\n");
  await old.expect("250 *");
  await client.expect("250 2.1.0 *");
  assert.deepEqual(await daemon.exited, { code: 0, signal: null });
  const [first, next] = upstream.connections;
  assert.deepEqual([first!.quit, next!.mailbox], [true, MAILBOX.email]);
  assert.equal(upstream.highestOpenConnectionsOf(MAILBOX.email), 1);
});

test("Without --take-over a second daemon finds the port taken", async () => {
  await using fixture = await startFirst();
  await using second = await startSecond(fixture, { args: ["--admin-port", "0"] });
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.ok(second.log.some(says("another program has the port")), JSON.stringify(second.log));
});

test("With --take-over and nothing to take over, a daemon starts as usual", async () => {
  await using daemon = await DaemonProcess.start({ args: ["--take-over"] });
  assert.ok(daemon.log.some(says("there is nothing to take over")));
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test("A daemon that doesn't take the newcomer's token runs on", async () => {
  await using fixture = await startFirst();
  await using second = await startSecond(fixture, {
    env: { XOAUTH2_ADMIN_TOKEN: "another-token-than-the-one-in-the-state-folder" },
  });
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.ok(second.log.some(says("refuses the admin token")), JSON.stringify(second.log));
  using client = await fixture.signIn();
  await client.command("NOOP", "250 *");
});

test("A newcomer that is stopped while it waits drains and leaves", async () => {
  await using fixture = await startFirst();
  using old = await fixture.signIn();
  await old.command(`MAIL FROM:<${MAILBOX.email}>`, "250 *");
  await old.command("RCPT TO:<someone@example.com>", "250 *");
  await old.command("DATA", "354 *");
  await using second = await startSecond(fixture);
  using client = await connectToSecond(fixture);
  assert.deepEqual(await second.stop(), { code: 0, signal: null });
  await client.expect("421 4.3.2 *");
  await old.write("Subject: all of it\r\n.\r\n");
  await old.expect("250 *");
});
