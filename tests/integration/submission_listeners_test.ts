/** Listeners of every kind: who may connect, how many, over what transport. */

import assert from "node:assert/strict";
import { connect as connectTls } from "node:tls";
import { createTestCertificates } from "../support/certificates.ts";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";

const MESSAGE = { from: ACCOUNT, to: ["a@example.net"], data: "x" };
const DEVICE = { account: ACCOUNT, allowedClients: ["127.0.0.0/8"] };

/** What a client that connects with TLS at once is shown. */
function fingerprint(port: number, ca: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca }, () => {
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.once("close", () => resolve(fingerprint256));
    socket.destroy();
  });
  socket.once("error", reject);
  return promise;
}

Deno.test("SubmissionServer takes mail on plain, STARTTLS and implicit TLS listeners, IPv4 and IPv6, at once", async () => {
  await using proxy = await startProxy({
    listeners: [{ security: "none" }, { security: "starttls" }, { security: "tls" }, {
      hostname: "::1",
      security: "starttls",
    }, { hostname: "::1" }],
  });
  const tls = { caCertificate: proxy.upstream.caCertificate };
  {
    using plain = await proxy.signIn();
    assert.match(await plain.send(MESSAGE), /^250 /);
    using implicit = await proxy.signIn({ listener: 2, tls });
    assert.match(await implicit.send(MESSAGE), /^250 /);
    await implicit.command("QUIT", "221 2.0.0 *");
    assert.equal(await implicit.expectEnd(), "closed");
    using ipv6 = await proxy.signIn({ listener: 4, hostname: "::1" });
    assert.match(await ipv6.send(MESSAGE), /^250 /);
  }
  for (const [listener, hostname] of [[1, "127.0.0.1"], [3, "::1"]] as const) {
    using upgraded = await proxy.connect({ listener, hostname });
    await upgraded.openSecurely(tls);
    await upgraded.command(`AUTH PLAIN ${btoa(`\0${ACCOUNT}\0correct horse`)}`, "235 *");
    assert.match(await upgraded.send(MESSAGE), /^250 /);
  }
  assert.equal(proxy.upstream.messages.length, 5);
});

for (const security of ["none", "starttls", "tls"] as const) {
  Deno.test(`Session answers a client that has half-closed, on a listener with ${security}`, async () => {
    await using proxy = await startProxy({ listeners: [{ security }] });
    const tls = { caCertificate: proxy.upstream.caCertificate };
    using client = await proxy.signIn(security === "tls" ? { tls } : {});
    const gate = Promise.withResolvers<void>();
    proxy.upstream.once("MAIL", { until: gate.promise });
    await client.writeln(`MAIL FROM:<${ACCOUNT}>`);
    await proxy.upstream.waitFor(() => proxy.upstream.passages("MAIL") === 1, "MAIL");
    // The end is there before the session reads what comes before it.
    await client.write("RCPT TO:<a@example.net>\r\nNOOP\r\n");
    await client.closeWrite();
    gate.resolve();
    for (let reply = 0; reply < 3; reply++) await client.expect("250 *");
    await client.expectEnd();
  });
}

Deno.test("Listener with require_tls_for_auth offers AUTH inside TLS only", async () => {
  await using proxy = await startProxy({ listeners: [{ security: "starttls", requireTlsForAuth: true }] });
  using client = await proxy.connect();
  await client.expect("220 *");
  await client.writeln("EHLO client.example");
  const before = await client.readReply();
  assert.ok(before.some((line) => /^250.STARTTLS$/.test(line)));
  assert.ok(!before.some((line) => /^250.AUTH/.test(line)));
  await client.command("AUTH PLAIN AGEAYg==", "530 5.7.0 Must issue a STARTTLS command first");
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "530 5.7.0 Must issue a STARTTLS command first");
  await client.command("VRFY a", "530 5.7.0 *");
  await client.command("STARTTLS now", "501 5.5.4 *");
  await client.command("STARTTLS", "220 2.0.0 *");
  await client.startTls({ caCertificate: proxy.upstream.caCertificate });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "503 5.5.1 *");
  await client.writeln("EHLO client.example");
  const after = await client.readReply();
  assert.ok(!after.some((line) => /^250.STARTTLS$/.test(line)));
  assert.ok(after.some((line) => /^250.AUTH PLAIN LOGIN$/.test(line)));
  await client.command("STARTTLS", "503 5.5.1 *");
});

for (const injected of ["NOOP\r\n", `EHLO x\r\nAUTH PLAIN ${btoa(`\0${ACCOUNT}\0correct horse`)}\r\n`]) {
  Deno.test(`Session discards ${injected.slice(0, 4)} that came in clear behind STARTTLS`, async () => {
    await using proxy = await startProxy({ listeners: [{ security: "starttls" }] });
    using client = await proxy.connect();
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.write(`STARTTLS\r\n${injected}`);
    await client.expect("220 2.0.0 *");
    await client.startTls({ caCertificate: proxy.upstream.caCertificate });
    await client.command(`MAIL FROM:<${ACCOUNT}>`, "503 5.5.1 Send EHLO first");
    await client.command("EHLO client.example", "250 *");
    await client.command(`MAIL FROM:<${ACCOUNT}>`, "530 5.7.0 *");
    assert.ok(
      proxy.logMessages().some((line) => line.includes(`Discarded ${injected.length} octets sent in clear`)),
    );
  });
}

Deno.test("Session drops what was signed in before STARTTLS", async () => {
  await using proxy = await startProxy({ listeners: [{ security: "starttls" }] });
  using client = await proxy.signIn();
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("STARTTLS", "220 *");
  await client.startTls({ caCertificate: proxy.upstream.caCertificate });
  await client.command("EHLO client.example", "250 *");
  await client.command("RCPT TO:<a@example.net>", "530 5.7.0 *");
  await client.authPlain(ACCOUNT, "correct horse");
  assert.match(await client.send(MESSAGE), /^250 /);
});

Deno.test("STARTTLS is not implemented on a listener without it", async () => {
  await using proxy = await startProxy({ listeners: [{}, { security: "tls" }] });
  using plain = await proxy.signIn();
  await plain.command("STARTTLS", "502 5.5.1 *");
  using secure = await proxy.signIn({ listener: 1, tls: { caCertificate: proxy.upstream.caCertificate } });
  await secure.command("STARTTLS", "503 5.5.1 *");
});

Deno.test("Device listener takes mail without AUTH for its account, from allowed clients", async () => {
  await using proxy = await startProxy({
    listeners: [DEVICE, { ...DEVICE, allowedClients: ["192.0.2.0/24"] }],
  });
  using device = await proxy.connect();
  await device.expect("220 *");
  await device.command("AUTH PLAIN AGEAYg==", "503 5.5.1 *");
  await device.writeln("HELO scanner");
  assert.deepEqual(await device.readReply(), ["250 proxy.test"]);
  assert.match(await device.send({ ...MESSAGE, from: "scanner@example.com" }), /^250 /);
  assert.equal(proxy.upstream.messages[0]!.connection.mailbox, ACCOUNT);
  await device.command("AUTH PLAIN AGEAYg==", "503 5.5.1 *");
  using stranger = await proxy.connect({ listener: 1 });
  await stranger.expect("554 5.7.1 *");
  await stranger.expectEnd();
});

Deno.test("Listener refuses clients that are not allowed, inside TLS where that is spoken", async () => {
  await using proxy = await startProxy({
    listeners: (["none", "starttls", "tls"] as const).map((security) => ({
      security,
      allowedClients: ["192.0.2.0/24", "2001:db8::/32"],
    })),
  });
  const tls = { caCertificate: proxy.upstream.caCertificate };
  for (const listener of [0, 1, 2]) {
    using client = await proxy.connect({ listener, ...(listener === 2 && { tls }) });
    await client.expect("554 5.7.1 *");
    await client.expectEnd();
  }
  assert.equal(proxy.submission.sessions, 0);
});

Deno.test("Listener keeps to max_sessions, and takes the next one when a session has ended", async () => {
  await using proxy = await startProxy({ listeners: [{ maxSessions: 2 }, {}] });
  using first = await proxy.signIn();
  using _second = await proxy.signIn();
  {
    using third = await proxy.connect();
    await third.expect("421 4.3.2 *");
    await third.expectEnd();
  }
  using _elsewhere = await proxy.signIn({ listener: 1 });
  await first.command("QUIT", "221 *");
  await proxy.waitFor(() => proxy.submission.sessions === 2, "the first session's end");
  using _third = await proxy.signIn();
});

Deno.test("Listener keeps to max_sessions_per_client, and forgets clients that are gone", async () => {
  await using proxy = await startProxy({ listeners: [{ maxSessionsPerClient: 1 }] });
  {
    using _first = await proxy.signIn();
    for (let attempt = 0; attempt < 3; attempt++) {
      using more = await proxy.connect();
      await more.expect("421 4.7.0 *");
      await more.expectEnd();
    }
  }
  await proxy.waitFor(() => proxy.submission.sessions === 0, "the first session's end");
  using _next = await proxy.signIn();
});

Deno.test("Listener with implicit TLS keeps to max_sessions when all clients come at once", async () => {
  await using proxy = await startProxy({ listeners: [{ security: "tls", maxSessions: 2 }] });
  const tls = { caCertificate: proxy.upstream.caCertificate };
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, async () => {
      const client = await proxy.connect();
      try {
        await client.startTls(tls);
        await client.expect("220 *");
        return client;
      } catch (error) {
        client[Symbol.dispose]();
        throw error;
      }
    }),
  );
  const clients = outcomes.flatMap((outcome) => outcome.status === "fulfilled" ? [outcome.value] : []);
  assert.deepEqual([clients.length, proxy.submission.sessions], [2, 2]);
  for (const client of clients) client[Symbol.dispose]();
  await proxy.waitFor(() => proxy.submission.sessions === 0, "the sessions' end");
  using _next = await proxy.signIn({ tls });
});

Deno.test("Listener with implicit TLS shuts out a client whose handshakes use up its places", async () => {
  await using proxy = await startProxy({ listeners: [{ security: "tls", maxSessionsPerClient: 3 }] });
  const silent = await Promise.all(Array.from({ length: 3 }, () => proxy.connect()));
  for (let attempt = 0; attempt < 10; attempt++) {
    using more = await proxy.connect();
    await more.expectEnd();
  }
  for (const client of silent) client[Symbol.dispose]();
});

Deno.test("Listener with implicit TLS applies limits that change during a handshake", async () => {
  const listener = { security: "tls", maxSessions: 1 } as const;
  await using proxy = await startProxy({ listeners: [listener] });
  using client = await proxy.connect();
  using probe = await proxy.connect();
  await probe.expectEnd();
  await proxy.submission.listen([proxy.plan({ ...listener, allowedClients: ["192.0.2.0/24"] })]);
  await client.startTls({ caCertificate: proxy.upstream.caCertificate });
  await client.expect("554 5.7.1 *");
  await client.expectEnd();
});

Deno.test("SubmissionServer shows a new certificate from a reload on, and keeps standing sessions", async () => {
  const listener = { security: "tls" } as const;
  await using proxy = await startProxy({ listeners: [listener, { security: "starttls" }] });
  const before = await createTestCertificates();
  const { caCertificate } = proxy.upstream;
  const old = await fingerprint(proxy.port(), caCertificate);
  using standing = await proxy.signIn({ tls: { caCertificate } });
  const ports = proxy.submission.listeners.map(({ address }) => address.port);
  await proxy.submission.listen([
    proxy.plan(listener, before.leaf),
    proxy.plan({ security: "starttls" }, before.leaf),
  ]);
  assert.deepEqual(proxy.submission.listeners.map(({ address }) => address.port), ports);
  assert.notEqual(await fingerprint(proxy.port(), before.caCertificate), old);
  assert.match(await standing.send(MESSAGE), /^250 /);
  using upgraded = await proxy.connect({ listener: 1 });
  await upgraded.openSecurely({ caCertificate: before.caCertificate });
});

async function assertRefused(proxy: TestProxy, port: number): Promise<void> {
  assert.ok(!proxy.submission.listeners.some(({ address }) => address.port === port));
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }), Deno.errors.ConnectionRefused);
}

Deno.test("SubmissionServer opens and closes listeners at a reload, with the new limits on those that stay", async () => {
  await using proxy = await startProxy({ listeners: [{}, {}, { security: "starttls" }] });
  const [first, second, third] = proxy.submission.listeners.map(({ address }) => address.port);
  using standing = await proxy.signIn({ listener: 1 });
  await proxy.submission.listen([proxy.plan({ maxSessions: 0 }), proxy.plan({ security: "tls" })]);
  assert.equal(proxy.port(), first);
  await assertRefused(proxy, second!);
  await assertRefused(proxy, third!);
  using full = await proxy.connect();
  await full.expect("421 4.3.2 *");
  assert.match(await standing.send(MESSAGE), /^250 /);
});

Deno.test("SubmissionServer changes nothing at a reload when a port is taken", async () => {
  await using proxy = await startProxy();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = proxy.port();
  const plans = [proxy.plan({ security: "starttls" }), proxy.plan({ port: taken.addr.port })];
  await assert.rejects(proxy.submission.listen(plans), Deno.errors.AddrInUse);
  assert.deepEqual(proxy.submission.listeners.map(({ address }) => address.port), [port]);
  using client = await proxy.signIn();
  assert.match(await client.send(MESSAGE), /^250 /);
});

Deno.test("SubmissionServer keeps two listeners of the same kind apart at a reload", async () => {
  await using proxy = await startProxy({ listeners: [{}, {}] });
  const ports = proxy.submission.listeners.map(({ address }) => address.port);
  await proxy.submission.listen([proxy.plan({}), proxy.plan({})]);
  assert.deepEqual(proxy.submission.listeners.map(({ address }) => address.port), ports);
  using _client = await proxy.signIn({ listener: 1 });
});

Deno.test("SubmissionServer that stops while a reload opens listeners closes them, too", async () => {
  await using proxy = await startProxy();
  const added = (["none", "starttls", "tls"] as const).map((security) => proxy.plan({ security }));
  // The first is the one that is open.
  const opening = proxy.submission.listen([proxy.plan({}), ...added]);
  await proxy.submission.close();
  await opening;
  assert.deepEqual(proxy.submission.listeners, []);
});
