import assert from "node:assert/strict";
import { Extensions } from "../../../src/smtp/extensions.ts";
import type { Reply } from "../../../src/smtp/reply.ts";
import { StreamClosedError } from "../../../src/transport/byte_stream.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { UpstreamConnection } from "../../../src/upstream/connection.ts";
import { type Answer, MemoryStream } from "./memory_stream.ts";
import { settled } from "./pool_fixture.ts";

/** A connection to a provider in memory, under a clock of its own. */
class Fixture implements Disposable {
  nowMs = 0;
  readonly deadlines = new Deadlines({ tickMs: 3_600_000, now: () => this.nowMs });
  readonly stream: MemoryStream;
  readonly connection: UpstreamConnection;

  constructor(answer?: Answer, keywords: readonly string[] = ["PIPELINING"]) {
    this.stream = new MemoryStream(answer);
    this.connection = new UpstreamConnection(this.stream, {
      deadlines: this.deadlines,
      now: () => this.nowMs,
      timeouts: { commandMs: 1000, dataMs: 2000, dataBlockMs: 3000, finalReplyMs: 4000 },
    });
    this.connection.extensions = new Extensions(keywords);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.deadlines.sweep();
  }

  [Symbol.dispose](): void {
    this.connection.close();
    this.deadlines[Symbol.dispose]();
  }
}

const lost = (during: string, message = /./) => ({ code: "UPSTREAM_LOST", during, message });

/** 354 to DATA, 250 to everything else. */
const agreeable: Answer = (line) => line === "DATA" ? "354 Go ahead" : "250 2.0.0 OK";

Deno.test("UpstreamConnection sends a group in one write and tells each reply in order", async () => {
  using fixture = new Fixture(agreeable);
  const codes: number[] = [];
  await fixture.connection.exchange(["MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA"], (index, reply) => {
    codes[index] = reply.code;
  });
  assert.deepEqual(codes, [250, 250, 354]);
  assert.deepEqual(fixture.stream.writes, ["MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"]);
});

Deno.test("UpstreamConnection sends one command at a time where PIPELINING is not offered", async () => {
  using fixture = new Fixture(agreeable, []);
  await fixture.connection.exchange(["MAIL FROM:<>", "DATA"], () => {});
  assert.deepEqual(fixture.stream.writes, ["MAIL FROM:<>\r\n", "DATA\r\n"]);
});

Deno.test("UpstreamConnection puts RSET in front after an abandoned transaction, and keeps its reply", async () => {
  using fixture = new Fixture(agreeable);
  fixture.connection.needsReset = true;
  const replies: Reply[] = [];
  await fixture.connection.exchange(["MAIL FROM:<>"], (_, reply) => replies.push(reply));
  assert.deepEqual(fixture.stream.writes, ["RSET\r\nMAIL FROM:<>\r\n"]);
  assert.deepEqual([replies.length, fixture.connection.needsReset], [1, false]);
});

Deno.test("UpstreamConnection is lost when RSET is refused", async () => {
  using fixture = new Fixture((line) => line === "RSET" ? "500 5.5.1 No" : "250 2.0.0 OK");
  fixture.connection.needsReset = true;
  await assert.rejects(fixture.connection.command("MAIL FROM:<>"), lost("RSET"));
  assert.equal(fixture.connection.isUsable, false);
});

Deno.test("UpstreamConnection reads a reply of many lines", async () => {
  using fixture = new Fixture(() => "250-mx.example\r\n250-SIZE 100\r\n250 PIPELINING");
  assert.deepEqual((await fixture.connection.command("EHLO a")).lines, [
    "mx.example",
    "SIZE 100",
    "PIPELINING",
  ]);
});

for (
  const [what, garbage] of [
    ["no code", "HTTP/1.1 400 Bad Request"],
    ["a code of 1yz", "150 Wait"],
    ["lines of two codes", "250-one\r\n550 two"],
    ["a line without end", "2".repeat(10_000)],
    ["lines without end", "250-on and on\r\n".repeat(200)],
  ] as const
) {
  Deno.test(`UpstreamConnection is lost when a reply has ${what}`, async () => {
    using fixture = new Fixture();
    const reading = assert.rejects(fixture.connection.readReply("MAIL"), lost("MAIL", /no SMTP reply/));
    for (let at = 0; at < garbage.length; at += 1000) {
      fixture.stream.push(garbage.slice(at, at + 1000));
      await settled();
    }
    fixture.stream.say("");
    await reading;
    assert.equal(fixture.connection.isUsable, false);
  });
}

Deno.test("UpstreamConnection is not used again after a 421", async () => {
  using fixture = new Fixture(() => "421 4.3.2 Closing");
  assert.equal((await fixture.connection.command("NOOP")).code, 421);
  assert.equal(fixture.connection.isUsable, false);
});

for (const how of ["close", "reset"] as const) {
  Deno.test(`UpstreamConnection is lost when the provider ends it while a reply is due (${how})`, async () => {
    using fixture = new Fixture();
    const reading = assert.rejects(fixture.connection.command("RCPT TO:<a@b>"), lost("RCPT"));
    await settled();
    fixture.stream.end(how);
    await reading;
  });
}

const deadlines: readonly [
  what: string,
  ms: number,
  work: (connection: UpstreamConnection) => Promise<unknown>,
][] = [
  ["RCPT", 1000, (connection) => connection.command("RCPT TO:<a@b>")],
  ["DATA", 2000, (connection) => connection.command("DATA")],
  ["the reply to mail data", 4000, (connection) => connection.readFinalReply()],
];
for (const [what, ms, work] of deadlines) {
  Deno.test(`UpstreamConnection waits ${ms} ms for ${what}`, async () => {
    using fixture = new Fixture(() => undefined);
    const working = assert.rejects(work(fixture.connection), lost(what, /did not answer in time/));
    await settled();
    fixture.pass(ms - 1);
    assert.equal(fixture.stream.isClosed, false);
    fixture.pass(1);
    await working;
    assert.equal(fixture.stream.isClosed, true);
  });
}

Deno.test("UpstreamConnection gives up a write that the provider doesn't take", async () => {
  using fixture = new Fixture();
  const stall = Promise.withResolvers<void>();
  fixture.stream.stalledBy = stall.promise;
  const writing = assert.rejects(
    fixture.connection.write(new Uint8Array(1), "mail data"),
    lost("mail data", /did not answer in time/),
  );
  fixture.pass(3000);
  assert.equal(fixture.stream.isClosed, true);
  stall.reject(new Error("closed"));
  await writing;
});

Deno.test("UpstreamConnection notices what the provider says inside a message", async () => {
  using fixture = new Fixture(agreeable);
  await fixture.connection.command("DATA");
  assert.equal(fixture.connection.hasEarlyReply, false);
  fixture.stream.answer = () => undefined;
  await fixture.connection.write(new TextEncoder().encode("Subject: test\r\n"), "mail data");
  fixture.stream.say("552 5.3.4 Too big");
  await settled();
  assert.equal(fixture.connection.hasEarlyReply, true);
  assert.equal((await fixture.connection.readReply("mail data")).code, 552);
});

Deno.test("UpstreamConnection notices that the provider is gone inside a message", async () => {
  using fixture = new Fixture(agreeable);
  await fixture.connection.command("DATA");
  fixture.stream.end("close");
  await settled();
  assert.equal(fixture.connection.hasEarlyReply, true);
});

Deno.test("UpstreamConnection reads on where its idle watch left off", async () => {
  using fixture = new Fixture();
  const told: string[] = [];
  const watcher = { onGone: () => told.push("gone"), onIdleTimeout: () => told.push("timeout") };
  fixture.connection.watch(watcher, 5000);
  fixture.connection.unwatch();
  fixture.pass(5000);
  fixture.stream.answer = agreeable;
  assert.equal((await fixture.connection.command("MAIL FROM:<>")).code, 250);
  fixture.connection.watch(watcher, 5000);
  fixture.connection.unwatch();
  fixture.connection.watch(watcher, 5000);
  fixture.stream.end("close");
  await settled();
  assert.deepEqual(told, ["gone"]);
  assert.equal(fixture.connection.hasIdled, true);
});

Deno.test("UpstreamConnection.quit closes after the reply, after silence, and on a dead connection", async () => {
  using polite = new Fixture();
  await polite.connection.quit(60_000);
  assert.deepEqual([polite.stream.writes, polite.stream.isClosed], [["QUIT\r\n"], true]);
  using silent = new Fixture(() => undefined);
  await silent.connection.quit(1);
  assert.equal(silent.stream.isClosed, true);
  using dead = new Fixture();
  dead.stream.end("reset");
  await dead.connection.quit(60_000);
  assert.equal(dead.stream.isClosed, true);
  await dead.connection.quit(60_000);
});

Deno.test("UpstreamConnection.quit does not wait for a provider that takes nothing", async () => {
  using fixture = new Fixture();
  const stall = Promise.withResolvers<void>();
  fixture.stream.stalledBy = stall.promise;
  fixture.stream.onClose = () => stall.reject(new StreamClosedError());
  await fixture.connection.quit(1);
  assert.equal(fixture.stream.isClosed, true);
});

Deno.test("UpstreamConnection takes nothing that came unasked for a reply", async () => {
  using fixture = new Fixture((line) => line === "MAIL" ? "250 2.1.0 OK\r\n250 2.1.0 OK" : "250 2.0.0 OK");
  const { connection, stream } = fixture;
  assert.equal((await connection.command("MAIL")).code, 250);
  assert.deepEqual([connection.hasStrayOctets, connection.isUsable], [true, false]);
  await assert.rejects(connection.command("RCPT"), lost("RCPT", /without being asked/));
  assert.deepEqual(stream.writes, ["MAIL\r\n"]);
});

Deno.test("UpstreamConnection tells the announcement of its end from stray octets", async () => {
  using fixture = new Fixture(() => "250 2.0.0 OK\r\n421 4.3.2 Closing");
  const { connection } = fixture;
  await connection.command("NOOP");
  assert.deepEqual([connection.hasStrayOctets, connection.isUsable], [false, false]);
});

Deno.test("UpstreamConnection waits for the rest of what may be the announcement of its end", async () => {
  using fixture = new Fixture(() => undefined);
  fixture.stream.push("250 2.0.0 OK\r\n42");
  const { connection } = fixture;
  assert.equal((await connection.readReply("x")).code, 250);
  assert.deepEqual([connection.hasStrayOctets, connection.isUsable], [false, false]);
});
