/** The connections of one mailbox: never more than its provider allows, each used for as many messages as it is good for. */

import type { Logger } from "@logtape/logtape";
import type { Reply } from "../smtp/reply.ts";
import { Backoff, type BackoffState } from "./backoff.ts";
import type { UpstreamConnection } from "./connection.ts";
import { diagnose, isThrottle } from "./diagnosis.ts";
import type { Dialer } from "./dialer.ts";
import { Lease, type ReturnState } from "./lease.ts";
import type { Mailbox } from "./mailbox.ts";
import { MailboxRates } from "./rates.ts";
import { DialError, PoolBusyError, PoolClosedError, ThrottledError } from "./upstream_error.ts";
import { Waiters } from "./waiters.ts";

export interface MailboxPoolOptions {
  readonly dialer: Dialer;
  readonly log: Logger;
  readonly now: () => number;
  readonly random?: () => number;
}

/** A mailbox's pool at one moment. */
export interface MailboxPoolState {
  readonly open: number;
  readonly idle: number;
  readonly dialing: number;
  readonly waiting: number;
  readonly limit: number;
  readonly transactions: number;
  readonly backoff?: BackoffState;
}

/** A daily quota frees up slowly: asking again within the hour only feeds the provider's throttling. */
const QUOTA_BACKOFF_MS = 3_600_000;

/** However many connections close at once, each is given this long to answer QUIT. */
const QUIT_TIMEOUT_MS = 500;

/** See `acquire`. */
export class MailboxPool {
  readonly rates: MailboxRates;
  #mailbox: Mailbox;
  readonly #options: MailboxPoolOptions;
  readonly #backoff: Backoff;
  /** Most recently used last. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #leased = new Set<UpstreamConnection>();
  /** Whoever gets `undefined` has a free place and dials for itself. */
  readonly #waiters = new Waiters<UpstreamConnection | undefined>();
  readonly #retiring = new Set<Promise<void>>();
  #open = 0;
  #dialing = 0;
  #underWay = 0;
  #closed = false;
  #throttleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(mailbox: Mailbox, options: MailboxPoolOptions) {
    this.#mailbox = mailbox;
    this.#options = options;
    this.rates = new MailboxRates(mailbox.provider.limits);
    this.#backoff = new Backoff({
      retry: mailbox.provider.retry,
      now: options.now,
      ...(options.random && { random: options.random }),
    });
  }

  get mailbox(): Mailbox {
    return this.#mailbox;
  }

  get state(): MailboxPoolState {
    const backoff = this.#backoff.state;
    return {
      open: this.#open,
      idle: this.#idle.length,
      dialing: this.#dialing,
      waiting: this.#waiters.length,
      limit: this.#limit,
      transactions: this.#underWay,
      ...(backoff && { backoff }),
    };
  }

  /** Whether transactions wait for a connection: then a slow client must not keep one. */
  get hasWaiters(): boolean {
    return this.#waiters.length > 0;
  }

  /**
   * Leases a connection: the most recently used idle one, else a new one while the limit allows, else the next one that
   * comes free, in the order of asking.
   *
   * @throws {PoolBusyError | ThrottledError | PoolClosedError | DialError | CircuitOpenError} or the token source's error.
   * @throws The signal's reason, when it aborts.
   */
  async acquire(signal: AbortSignal): Promise<Lease> {
    const { maxTransactions } = this.#mailbox.provider.pool;
    if (this.#closed) throw new PoolClosedError();
    if (this.#underWay >= maxTransactions) {
      throw new PoolBusyError(
        `${maxTransactions} transactions of the account are under way (max_concurrent_messages)`,
      );
    }
    this.#underWay++;
    try {
      const connection = await this.#take(signal) ?? await this.#dial(signal);
      this.#leased.add(connection);
      return new Lease(connection, this.#giveBack);
    } catch (error) {
      this.#underWay--;
      throw error;
    }
  }

  /**
   * Replaces a leased connection that turned out dead, in the place that it had.
   *
   * @throws As `acquire`; the lease is over then, too.
   */
  async renew(dead: Lease, signal: AbortSignal): Promise<Lease> {
    dead.surrender();
    dead.connection.close();
    this.#leased.delete(dead.connection);
    try {
      const connection = await this.#dial(signal);
      this.#leased.add(connection);
      return new Lease(connection, this.#giveBack);
    } catch (error) {
      this.#underWay--;
      throw error;
    }
  }

  /**
   * Opens up to `count` connections ahead of need. The first failure ends it.
   *
   * @returns how many are open for use.
   */
  async prewarm(count: number, signal: AbortSignal): Promise<number> {
    const places = Math.min(count, this.#limit - this.#open);
    const dials = Array.from({ length: Math.max(0, places) }, () => this.#reserve(signal));
    const results = await Promise.allSettled(dials);
    return results.filter((result) => result.status === "fulfilled").length;
  }

  /** Tells the pool of a reply in a transaction: throttles and quotas make the account wait. */
  noteReply(reply: Reply): void {
    if (reply.isPositive) {
      if (reply.code === 250) this.#backoff.succeed();
      return;
    }
    const { cause, remedy } = diagnose(reply);
    if (cause === "quota-exceeded" || cause === "daily-limit") {
      this.#wait(reply.text(), { remedy, atLeastMs: QUOTA_BACKOFF_MS });
    } else if (isThrottle(reply)) this.#wait(reply.text(), { remedy });
  }

  /** New credentials or limits: idle connections go, those in use go after the transaction in hand. */
  replace(mailbox: Mailbox): void {
    this.#mailbox = mailbox;
    this.retire();
  }

  /** Lets go of every connection, those in use after the transaction in hand. */
  retire(): void {
    for (const connection of this.#idle.splice(0)) this.#retire(connection);
    for (const connection of this.#leased) connection.transactions = Infinity;
  }

  /**
   * Says QUIT on all idle connections in parallel, drops the rest, turns waiters away. Never rejects.
   *
   * @returns how many were idle.
   */
  async close(): Promise<number> {
    this.#closed = true;
    clearTimeout(this.#throttleTimer);
    this.#waiters.rejectAll(new PoolClosedError());
    for (const connection of this.#leased) connection.close();
    const idle = this.#idle.splice(0);
    for (const connection of idle) this.#retire(connection);
    await Promise.allSettled(this.#retiring);
    return idle.length;
  }

  get #limit(): number {
    return this.#mailbox.provider.limits.connections;
  }

  /** A connection, or `undefined` with a place for a new one taken. */
  async #take(signal: AbortSignal): Promise<UpstreamConnection | undefined> {
    signal.throwIfAborted();
    if (this.#waiters.length === 0 && this.#backoff.remainingMs === 0) {
      const connection = this.#popIdle();
      if (connection) return connection;
      if (this.#open < this.#limit) {
        this.#open++;
        return undefined;
      }
    }
    const { waitTimeoutMs } = this.#mailbox.provider.pool;
    const backoff = this.#backoff.state;
    if (backoff && backoff.remainingMs >= waitTimeoutMs) {
      throw new ThrottledError(backoff.remainingMs, backoff.reason);
    }
    return await this.#waiters.wait({ signal, timeoutMs: waitTimeoutMs, onTimeout: () => this.#waitError() });
  }

  #waitError(): Error {
    const backoff = this.#backoff.state;
    if (backoff) return new ThrottledError(backoff.remainingMs, backoff.reason);
    const seconds = this.#mailbox.provider.pool.waitTimeoutMs / 1000;
    return new PoolBusyError(`all ${this.#limit} connections of the account stayed busy for ${seconds} s`);
  }

  /** The most recently used connection that is still good; those that aren't are retired on the way. */
  #popIdle(): UpstreamConnection | undefined {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      connection.unwatch();
      if (connection.isUsable && !this.#isOld(connection)) return connection;
      this.#retire(connection);
    }
    return undefined;
  }

  #isOld(connection: UpstreamConnection): boolean {
    const { maxMessagesPerConnection, connectionMaxAgeMs } = this.#mailbox.provider.pool;
    return connection.transactions >= maxMessagesPerConnection ||
      this.#options.now() - connection.createdAtMs >= connectionMaxAgeMs;
  }

  /** Dials in a place that is taken already, and gives the place back when it fails. */
  async #dial(signal: AbortSignal): Promise<UpstreamConnection> {
    this.#dialing++;
    try {
      const connection = await this.#options.dialer.dial(this.#mailbox, signal);
      if (this.#closed) {
        connection.close();
        throw new PoolClosedError();
      }
      return connection;
    } catch (error) {
      this.#noteDialFailure(error);
      this.#open--;
      this.#dispatch();
      throw error;
    } finally {
      this.#dialing--;
    }
  }

  #noteDialFailure(error: unknown): void {
    if (!(error instanceof DialError) || error.reply === undefined) return;
    const { cause, remedy } = diagnose(error.reply);
    if (error.phase === "auth" || isThrottle(error.reply)) this.#wait(error.reply.text(), { remedy });
    this.#options.log.warn("Provider refused {account} ({cause}): {reply}. {remedy}", {
      account: this.#mailbox.email,
      cause,
      reply: error.reply.text(),
      remedy,
      phase: error.phase,
    });
  }

  #wait(reason: string, options: { remedy: string; atLeastMs?: number }): void {
    const delayMs = this.#backoff.fail(reason, options);
    this.#options.log.warn("Account {account} waits {seconds} s: {reason}", {
      account: this.#mailbox.email,
      seconds: Math.ceil(delayMs / 1000),
      reason,
    });
    this.#dispatchWhenAllowed();
  }

  /** Wakes the queue when the back-off is over. */
  #dispatchWhenAllowed(): void {
    clearTimeout(this.#throttleTimer);
    if (this.#closed) return;
    this.#throttleTimer = setTimeout(() => this.#dispatch(), this.#backoff.remainingMs + 1);
    Deno.unrefTimer(this.#throttleTimer);
  }

  async #reserve(signal: AbortSignal): Promise<void> {
    this.#open++;
    const connection = await this.#dial(signal);
    this.#put(connection);
  }

  #giveBack = (connection: UpstreamConnection, state: ReturnState): void => {
    this.#underWay--;
    this.#leased.delete(connection);
    if (state === "broken" || !connection.isUsable || this.#closed) {
      this.#discard(connection);
    } else if (this.#isOld(connection)) {
      this.#retire(connection);
    } else {
      connection.needsReset = state === "needs-reset";
      this.#put(connection);
    }
  };

  /** Hands a free connection to the first waiter, or lets it idle under watch. */
  #put(connection: UpstreamConnection): void {
    if (this.#backoff.remainingMs === 0 && this.#waiters.give(connection)) return;
    this.#idle.push(connection);
    const { connectionIdleTimeoutMs, connectionMaxAgeMs } = this.#mailbox.provider.pool;
    const ageLeftMs = connectionMaxAgeMs - (this.#options.now() - connection.createdAtMs);
    const leave = (goodbye: (connection: UpstreamConnection) => void) => () => {
      this.#idle.splice(this.#idle.indexOf(connection), 1);
      goodbye(connection);
    };
    connection.watch({
      onGone: leave((gone) => this.#discard(gone)),
      onIdleTimeout: leave((idle) => this.#retire(idle)),
    }, Math.min(connectionIdleTimeoutMs, ageLeftMs));
  }

  #discard(connection: UpstreamConnection): void {
    connection.close();
    this.#open--;
    this.#dispatch();
  }

  /** Ends a connection in good order (RFC 5321 §4.1.1.10); until it is closed it counts, for the provider as for us. */
  #retire(connection: UpstreamConnection): void {
    const goodbye = connection.quit(QUIT_TIMEOUT_MS).then(() => {
      this.#retiring.delete(goodbye);
      this.#discard(connection);
    });
    this.#retiring.add(goodbye);
  }

  /** Serves waiters as far as connections and free places go. */
  #dispatch(): void {
    if (this.#closed || this.#backoff.remainingMs > 0) return;
    while (this.#waiters.length > 0) {
      const connection = this.#popIdle();
      if (connection) {
        this.#waiters.give(connection);
      } else if (this.#open < this.#limit) {
        this.#open++;
        this.#waiters.give(undefined);
      } else {
        return;
      }
    }
  }
}
