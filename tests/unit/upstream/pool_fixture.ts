/** A pool whose dialer, clock and connections are the test's own. */

import type { PoolSettings, ProviderSettings } from "../../../src/config/settings.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { UpstreamConnection } from "../../../src/upstream/connection.ts";
import type { Mailbox } from "../../../src/upstream/mailbox.ts";
import { MailboxPool } from "../../../src/upstream/mailbox_pool.ts";
import { FixedTokens } from "../../support/fixed_tokens.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";
import { testProvider } from "../oauth/test_account.ts";
import { type Answer, MemoryStream } from "./memory_stream.ts";

/** One connection that was dialed. */
export interface Dialed {
  readonly connection: UpstreamConnection;
  readonly stream: MemoryStream;
  readonly mailbox: Mailbox;
}

/** Provider settings with the pool's laid over the test's defaults one by one. */
export type FixtureSettings = Partial<Omit<ProviderSettings, "pool">> & {
  readonly pool?: Partial<PoolSettings>;
};

/** A mailbox that no token and no server belongs to. */
export function testMailbox({ pool, ...settings }: FixtureSettings = {}): Mailbox {
  const provider = testProvider();
  return {
    email: "sender@example.com",
    saslUser: "sender@example.com",
    provider: {
      ...provider,
      retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 60_000, jitter: false },
      ...settings,
      pool: { ...provider.pool, maxTransactions: 10_000, ...pool },
    },
    caCerts: [],
    tokens: new FixedTokens(),
  };
}

/** See the module. Disposing it closes the pool. */
export class PoolFixture implements AsyncDisposable {
  /** The clock of pool and deadlines, in milliseconds. */
  nowMs = 1_000_000_000;
  readonly deadlines = new Deadlines({ tickMs: 3_600_000, now: () => this.nowMs });
  /** In order. */
  readonly dialed: Dialed[] = [];
  readonly log = recordingLog();
  readonly pool: MailboxPool;
  /** Calls of `onThrottle`. */
  throttles = 0;
  /** Stands in for a dial that succeeds at once. Call `connect` for a connection. */
  dial: (mailbox: Mailbox, signal: AbortSignal) => Promise<UpstreamConnection> = (mailbox) =>
    Promise.resolve(this.connect(mailbox));
  /** How the provider answers on connections to come. */
  answer: Answer | undefined;

  constructor(mailbox: Mailbox = testMailbox()) {
    this.pool = new MailboxPool(mailbox, {
      dialer: { dial: (which, signal) => this.dial(which, signal) },
      log: this.log.log,
      now: () => this.nowMs,
      random: () => 0.5,
      onThrottle: () => this.throttles++,
    });
  }

  /** Connections that the provider has not seen the end of. */
  get open(): number {
    return this.dialed.filter(({ stream }) => !stream.isClosed).length;
  }

  /** A signed-in connection. */
  connect(mailbox: Mailbox): UpstreamConnection {
    const stream = new MemoryStream(this.answer);
    const connection = new UpstreamConnection(stream, { deadlines: this.deadlines, now: () => this.nowMs });
    this.dialed.push({ connection, stream, mailbox });
    return connection;
  }

  /** Leases a connection under a signal that never aborts. */
  acquire() {
    return this.pool.acquire(new AbortController().signal);
  }

  /** Lets time pass: deadlines fire, timers of the system don't. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.deadlines.sweep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
    this.deadlines[Symbol.dispose]();
  }
}

/** Resolves after everything that is ready to run has run. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}
