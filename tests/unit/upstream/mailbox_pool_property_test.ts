/** What holds whatever happens, in whatever order: the cap, every place, the order of the waiters. */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { Reply } from "../../../src/smtp/reply.ts";
import type { UpstreamConnection } from "../../../src/upstream/connection.ts";
import type { Lease } from "../../../src/upstream/lease.ts";
import { PoolFixture, testMailbox } from "./pool_fixture.ts";

const LIMIT = 3;

/** What a run does next; numbers pick among what there is at that moment. */
type Move =
  | { readonly do: "acquire" | "replace" | "throttle" | "pass" | "prewarm" | "settle" }
  | {
    readonly do: "clean" | "needs-reset" | "drop" | "renew" | "abort" | "dialed" | "refused";
    readonly nth: number;
  }
  | { readonly do: "gone"; readonly nth: number; readonly how: "close" | "reset" };

const moves = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Move>({ do: "acquire" }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom("clean", "needs-reset", "drop", "renew", "abort", "dialed", "refused"),
        nth: fc.nat(1000),
      }) as fc.Arbitrary<Move>,
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("gone"),
        nth: fc.nat(1000),
        how: fc.constantFrom("close", "reset"),
      }) as fc.Arbitrary<Move>,
    },
    { weight: 4, arbitrary: fc.constant<Move>({ do: "settle" }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Move>({ do: "replace" }, { do: "throttle" }, { do: "pass" }, {
        do: "prewarm",
      }),
    },
  ),
  { minLength: 20, maxLength: 200, size: "max" },
);

interface PendingDial {
  readonly succeed: () => void;
  readonly fail: () => void;
}

/** One run: a pool and everybody who wants something of it. */
class Run implements AsyncDisposable {
  readonly fixture = new PoolFixture(mailbox());
  /** Numbers of the acquires that got a lease or a failed dial, in the order in which they did. */
  readonly served: number[] = [];
  readonly #leases: Lease[] = [];
  readonly #waiting = new Map<number, AbortController>();
  readonly #work = new Set<Promise<void>>();
  #dials: PendingDial[] = [];
  #acquires = 0;

  /** @param immediate Dials succeed at once; otherwise they wait for a move. */
  constructor(readonly immediate: boolean) {
    if (!immediate) this.fixture.dial = (which, signal) => this.#dial(which, signal);
  }

  async play(list: readonly Move[], { settling }: { settling: boolean }): Promise<void> {
    for (const move of list) {
      this.#make(move);
      this.check();
      if (settling || move.do === "settle") await setImmediate();
    }
  }

  /** The pool never has more than it may, and says what is so. */
  check(): void {
    const { state } = this.fixture.pool;
    const atProvider = this.fixture.open + this.#dials.length;
    assert.ok(state.open <= LIMIT, `the pool counts ${state.open}`);
    assert.ok(atProvider <= LIMIT, `the provider sees ${atProvider}`);
    assert.ok(state.idle + state.dialing <= state.open);
  }

  /** Ends everything in good order, and finds every place free again. */
  async windUp(): Promise<void> {
    this.fixture.dial = (which) => Promise.resolve(this.fixture.connect(which));
    this.fixture.pool.replace(mailbox());
    for (let round = 0; this.#work.size > 0 || this.#leases.length > 0 || this.#dials.length > 0; round++) {
      assert.ok(round < 1000, `a place is lost: ${JSON.stringify(this.fixture.pool.state)}`);
      for (const dial of this.#dials.splice(0)) dial.succeed();
      for (const lease of this.#leases.splice(0)) lease.release("clean");
      await setImmediate();
      this.check();
    }
    await setImmediate();
    const { open, idle, waiting, dialing, transactions } = this.fixture.pool.state;
    assert.equal(open, idle, "a connection counts that nobody has");
    assert.deepEqual({ waiting, dialing, transactions }, { waiting: 0, dialing: 0, transactions: 0 });
    const leases = await Promise.all(Array.from({ length: LIMIT }, () => this.fixture.acquire()));
    assert.equal(this.fixture.pool.state.open, LIMIT);
    for (const lease of leases) lease.release("clean");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const abort of this.#waiting.values()) abort.abort();
    await this.fixture[Symbol.asyncDispose]();
    for (const dial of this.#dials.splice(0)) dial.fail();
    await Promise.all(this.#work);
    assert.equal(this.fixture.open, 0);
  }

  #make(move: Move): void {
    const { pool } = this.fixture;
    switch (move.do) {
      case "acquire":
        return this.#acquire();
      case "clean":
      case "needs-reset":
        return this.#takeLease(move.nth)?.release(move.do);
      case "drop":
        return this.#takeLease(move.nth)?.[Symbol.dispose]();
      case "renew":
        return this.#renew(move.nth);
      case "abort":
        return [...this.#waiting.values()].at(move.nth % (this.#waiting.size || 1))?.abort();
      case "dialed":
        return this.#takeDial(move.nth)?.succeed();
      case "refused":
        return this.#takeDial(move.nth)?.fail();
      case "gone": {
        const { dialed } = this.fixture;
        return dialed.at(move.nth % (dialed.length || 1))?.stream.end(move.how);
      }
      case "replace":
        return pool.replace(mailbox());
      case "throttle":
        return pool.noteReply(Reply.of(432, "4.3.2", "Concurrent connections limit exceeded"));
      case "pass":
        return this.fixture.pass(5_000);
      case "prewarm":
        return this.#track(pool.prewarm(2, new AbortController().signal).then(() => {}));
      case "settle":
    }
  }

  #acquire(): void {
    const number = this.#acquires++;
    const abort = new AbortController();
    this.#waiting.set(number, abort);
    this.#track(this.#obtain(number, this.fixture.pool.acquire(abort.signal)));
  }

  #renew(nth: number): void {
    const lease = this.#takeLease(nth);
    if (lease) this.#track(this.#obtain(-1, this.fixture.pool.renew(lease, new AbortController().signal)));
  }

  async #obtain(number: number, lease: Promise<Lease>): Promise<void> {
    try {
      this.#leases.push(await lease);
      if (number >= 0) this.served.push(number);
    } catch (error) {
      assert.ok(error instanceof Error);
    } finally {
      this.#waiting.delete(number);
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  #takeLease(nth: number): Lease | undefined {
    return this.#leases.splice(nth % (this.#leases.length || 1), 1)[0];
  }

  #takeDial(nth: number): PendingDial | undefined {
    return this.#dials.splice(nth % (this.#dials.length || 1), 1)[0];
  }

  #dial(which: ReturnType<typeof mailbox>, signal: AbortSignal): Promise<UpstreamConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamConnection>();
    const dial = {
      succeed: () => resolve(this.fixture.connect(which)),
      fail: () => reject(new Error("refused")),
    };
    this.#dials.push(dial);
    signal.addEventListener("abort", () => {
      const at = this.#dials.indexOf(dial);
      if (at >= 0) this.#dials.splice(at, 1);
      reject(signal.reason);
    });
    return promise;
  }
}

function mailbox() {
  return testMailbox({
    limits: { connections: LIMIT },
    pool: { maxMessagesPerConnection: 4, connectionMaxAgeMs: 20_000, waitTimeoutMs: 60_000 },
    retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 2_000, jitter: false },
  });
}

function isSorted(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || numbers[index - 1]! < number);
}

Deno.test("MailboxPool keeps its cap and every place through any course of events", async () => {
  await fc.assert(
    fc.asyncProperty(moves, async (list) => {
      await using run = new Run(false);
      await run.play(list, { settling: false });
      await run.windUp();
    }),
    { numRuns: 1000, seed: 20261123 },
  );
});

Deno.test("MailboxPool closes in the middle of any course of events, and nothing stays open", async () => {
  await fc.assert(
    fc.asyncProperty(moves, async (list) => {
      await using run = new Run(false);
      await run.play(list, { settling: false });
    }),
    { numRuns: 500, seed: 42 },
  );
});

Deno.test("MailboxPool serves in the order of asking through any course of events", async () => {
  await fc.assert(
    fc.asyncProperty(moves, async (list) => {
      await using run = new Run(true);
      await run.play(list, { settling: true });
      await run.windUp();
      assert.ok(isSorted(run.served), run.served.join(" "));
    }),
    { numRuns: 500, seed: 7 },
  );
});
