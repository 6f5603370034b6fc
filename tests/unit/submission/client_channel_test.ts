import assert from "node:assert/strict";
import { Reply } from "../../../src/smtp/reply.ts";
import { ClientChannel } from "../../../src/submission/client_channel.ts";
import { StreamClosedError } from "../../../src/transport/byte_stream.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { MemoryStream } from "../upstream/memory_stream.ts";

const OK = Reply.of(250, "2.0.0", "OK");
const BYE = Reply.of(421, "4.3.2", "Bye");

/** A channel, its client in memory, and a clock. */
class Fixture implements Disposable {
  nowMs = 0;
  timeouts = 0;
  readonly stream = new MemoryStream(() => undefined);
  readonly deadlines = new Deadlines({ tickMs: 3_600_000, now: () => this.nowMs });
  readonly channel = new ClientChannel(this.stream, this.deadlines, () => this.timeouts++);

  sweepAt(nowMs: number): void {
    this.nowMs = nowMs;
    this.deadlines.sweep();
  }

  [Symbol.dispose](): void {
    this.channel.close();
    this.deadlines[Symbol.dispose]();
  }
}

Deno.test("ClientChannel writes a group of replies in one go, those filled in later in their place", async () => {
  using fixture = new Fixture();
  const { channel, stream } = fixture;
  const later: { reply?: Reply } = {};
  channel.push(OK);
  channel.push(later);
  channel.push(BYE);
  later.reply = Reply.of(550, "5.1.1", "No");
  assert.ok(channel.hasPending);
  await channel.writePending();
  await channel.writePending();
  assert.deepEqual(stream.writes, ["250 2.0.0 OK\r\n550 5.1.1 No\r\n421 4.3.2 Bye\r\n"]);
  assert.equal(channel.hasPending, false);
});

Deno.test("ClientChannel reads lines, and resolves to null when the client is gone", async () => {
  using fixture = new Fixture();
  fixture.stream.push("NOOP\r\n");
  assert.equal(new TextDecoder().decode(await fixture.channel.readLine(100, 1000) as Uint8Array), "NOOP");
  fixture.stream.end("close");
  assert.equal(await fixture.channel.readLine(100, 1000), null);
});

Deno.test("ClientChannel tells of a client that is silent for too long, and of no other", async () => {
  using fixture = new Fixture();
  const reading = fixture.channel.readLine(100, 1000);
  fixture.sweepAt(999);
  assert.equal(fixture.timeouts, 0);
  fixture.channel.extendDeadline(1000);
  fixture.sweepAt(1998);
  assert.equal(fixture.timeouts, 0);
  fixture.sweepAt(1999);
  assert.equal(fixture.timeouts, 1);
  fixture.stream.push("NOOP\r\n");
  await reading;
  fixture.sweepAt(1_000_000);
  assert.equal(fixture.timeouts, 1, "nobody waits any more");
});

Deno.test("ClientChannel interrupts a wait for the client with a farewell, once, and closes", async () => {
  using fixture = new Fixture();
  const { channel, stream } = fixture;
  const reading = assert.rejects(channel.readLine(100, 1000), StreamClosedError);
  assert.equal(channel.interrupt(BYE), true);
  assert.equal(channel.interrupt(OK), true);
  await reading;
  await channel.end();
  assert.deepEqual(stream.writes, ["421 4.3.2 Bye\r\n"]);
  assert.ok(stream.isClosed);
  channel.push(OK);
  await assert.rejects(channel.writePending(), StreamClosedError);
  await assert.rejects(channel.readLine(100, 1000), StreamClosedError);
});

Deno.test("ClientChannel drops a client that doesn't take its farewell", async () => {
  using fixture = new Fixture();
  const { channel, stream } = fixture;
  const taken = Promise.withResolvers<void>();
  stream.stalledBy = taken.promise;
  stream.onClose = () => taken.resolve();
  const reading = assert.rejects(channel.readLine(100, 1000), StreamClosedError);
  channel.interrupt(BYE);
  await reading;
  await channel.end();
  assert.ok(stream.isClosed);
});

Deno.test("ClientChannel interrupts nothing while it doesn't wait for the client, but has little patience from then on", () => {
  using fixture = new Fixture();
  const { channel, stream } = fixture;
  stream.stalledBy = new Promise(() => {});
  channel.push(OK);
  void channel.writePending(); // never taken: the stream closes under it
  fixture.sweepAt(59_999);
  assert.equal(stream.isClosed, false);
  assert.equal(channel.interrupt(BYE), false);
  fixture.sweepAt(59_999 + 500);
  assert.ok(stream.isClosed);
  assert.deepEqual(stream.writes, ["250 2.0.0 OK\r\n"], "no farewell in the middle of a reply");
});

Deno.test("ClientChannel closes on a client that takes no replies for a minute", () => {
  using fixture = new Fixture();
  const { channel, stream } = fixture;
  stream.stalledBy = new Promise(() => {});
  channel.push(OK);
  void channel.writePending();
  fixture.sweepAt(60_000);
  assert.ok(stream.isClosed);
  assert.equal(fixture.timeouts, 0);
});

Deno.test("ClientChannel refuses STARTTLS on a stream that takes none", async () => {
  using fixture = new Fixture();
  await assert.rejects(fixture.channel.startTls(1000), TypeError);
});
