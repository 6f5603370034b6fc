import assert from "node:assert/strict";
import type { Transaction } from "../../../src/relay/transaction.ts";
import type { Session } from "../../../src/submission/session.ts";
import { SlowClientGuard } from "../../../src/submission/slow_client_guard.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";

/** A guard under a clock of its own, with all that it looks at. */
class Watched implements Disposable {
  /** Whether the session waits for its client. */
  isWaiting = true;
  /** Whether others wait for the connection. */
  isBlocking = true;
  isOver = false;
  /** The farewell, when there was one. */
  ended: string | undefined;
  readonly guard: SlowClientGuard;
  readonly #deadlines = new Deadlines({ tickMs: 3_600_000, now: () => this.#nowMs });
  #nowMs = 0;

  constructor() {
    const session = {
      context: { now: () => this.#nowMs, deadlines: this.#deadlines },
      channel: this,
      end: (reply: { text(): string }) => this.ended = reply.text(),
    };
    this.guard = new SlowClientGuard(this as unknown as Transaction, session as unknown as Session);
  }

  pass(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.#nowMs += 1000;
      this.#deadlines.sweep();
    }
  }

  /** Names recipients, a command of 30 octets each time. */
  drip(count: number, everySeconds: number): void {
    for (let i = 0; i < count; i++) {
      this.guard.noteOctets(30);
      this.pass(everySeconds);
    }
  }

  [Symbol.dispose](): void {
    this.guard[Symbol.dispose]();
    this.#deadlines[Symbol.dispose]();
  }
}

const TOO_SLOW = /^421 4\.4\.2 Too slow/;

Deno.test("SlowClientGuard ends a client that drips recipients, after a minute", () => {
  using watched = new Watched();
  watched.drip(2, 20);
  assert.equal(watched.ended, undefined);
  watched.drip(1, 20);
  assert.match(watched.ended!, TOO_SLOW);
});

Deno.test("SlowClientGuard ends a client that has dripped recipients as soon as others wait", () => {
  using watched = new Watched();
  watched.isBlocking = false;
  watched.drip(4, 20);
  assert.equal(watched.ended, undefined);
  watched.isBlocking = true;
  watched.pass(1);
  assert.match(watched.ended!, TOO_SLOW);
});

Deno.test("SlowClientGuard lets a client name recipients for long, one a second", () => {
  using watched = new Watched();
  watched.drip(1000, 1);
  assert.equal(watched.ended, undefined);
});

Deno.test("SlowClientGuard counts no time in which the session doesn't wait for its client", () => {
  using watched = new Watched();
  for (let recipient = 0; recipient < 100; recipient++) {
    watched.isWaiting = true;
    watched.drip(1, 1);
    watched.isWaiting = false;
    watched.pass(100);
  }
  assert.equal(watched.ended, undefined);
});

Deno.test("SlowClientGuard measures mail data anew, by octets alone", () => {
  using watched = new Watched();
  watched.drip(2, 29);
  watched.guard.startData();
  watched.drip(2, 29);
  assert.equal(watched.ended, undefined);
  watched.drip(30, 1);
  assert.match(watched.ended!, TOO_SLOW);
});

Deno.test("SlowClientGuard looks at nothing once the transaction is over", () => {
  using watched = new Watched();
  watched.isOver = true;
  watched.pass(600);
  assert.equal(watched.ended, undefined);
});

Deno.test("SlowClientGuard leaves a client alone that has sent all and waits for the provider, slow as it was", () => {
  using watched = new Watched();
  watched.isBlocking = false;
  watched.guard.startData();
  watched.guard.noteOctets(100);
  watched.pass(70);
  watched.isWaiting = false;
  watched.isBlocking = true;
  watched.pass(300);
  assert.equal(watched.ended, undefined);
  watched.isWaiting = true;
  watched.pass(1);
  assert.match(watched.ended!, TOO_SLOW);
});
