/** The connections of one mailbox: never more than its provider allows, each used for as many messages as it is good for. */

import type { Logger } from "@logtape/logtape";
import type { Reply } from "../smtp/reply.ts";
import { AbortScope } from "./abort_scope.ts";
import type { BackoffState } from "./backoff.ts";
import type { Park, UpstreamConnection } from "./connection.ts";
import { ConnectionCeiling } from "./connection_ceiling.ts";
import { concernsAccount, saysTooManyConnections } from "./diagnosis.ts";
import type { Dialer } from "./dialer.ts";
import { Goodbyes } from "./goodbyes.ts";
import { IdleConnections } from "./idle_connections.ts";
import { Lease, type ReturnState } from "./lease.ts";
import type { Mailbox } from "./mailbox.ts";
import { MailboxRates } from "./rates.ts";
import { Throttle } from "./throttle.ts";
import { DialError, PoolBusyError, PoolClosedError } from "./upstream_error.ts";
import { Waiters } from "./waiters.ts";

export interface MailboxPoolOptions {
  readonly dialer: Pick<Dialer, "dial">;
  readonly log: Logger;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Told each time that the provider, or a limit that is counted here, slows the account down; for metrics. */
  readonly onThrottle?: () => void;
}

/** A mailbox's pool at one moment. */
export interface MailboxPoolState {
  /** Everything that counts for the provider: idle, in use, closing, and being dialed. */
  readonly open: number;
  readonly idle: number;
  readonly dialing: number;
  readonly waiting: number;
  readonly limit: number;
  readonly transactions: number;
  readonly backoff?: BackoffState;
}

/** A client that was turned away is expected to come again, and counts as waiting for so long. */
const TURNED_AWAY_MS = 5_000;

/** See `acquire`. */
export class MailboxPool {
  readonly rates: MailboxRates;
  #mailbox: Mailbox;
  readonly #options: MailboxPoolOptions;
  readonly #throttle: Throttle;
  readonly #ceiling: ConnectionCeiling;
  /** Every connection that is not closed yet, with the generation of the mailbox that it was opened for. */
  readonly #connections = new Map<UpstreamConnection, number>();
  readonly #idle = new IdleConnections();
  /** Whoever gets `undefined` has a place and dials for itself. */
  readonly #waiters = new Waiters<UpstreamConnection | undefined>();
  readonly #goodbyes = new Goodbyes();
  readonly #dials = new AbortScope();
  /** Places that are taken and have no connection yet. */
  #places = 0;
  /** Counts the replacements of the mailbox: what belongs to an earlier one is not used again. */
  #generation = 0;
  #underWay = 0;
  #turnedAwayAtMs = -Infinity;
  #state: "open" | "removed" | "closed" = "open";

  constructor(mailbox: Mailbox, options: MailboxPoolOptions) {
    this.#mailbox = mailbox;
    this.#options = options;
    const { onThrottle, now } = options;
    this.#ceiling = new ConnectionCeiling(now);
    this.rates = new MailboxRates(mailbox.provider.limits, onThrottle && { onLimit: onThrottle });
    this.#throttle = new Throttle({
      ...options,
      account: mailbox.email,
      retry: mailbox.provider.retry,
      onWait: () => this.#onThrottleWait(),
      onEnd: () => this.#dispatch(),
    });
  }

  get mailbox(): Mailbox {
    return this.#mailbox;
  }

  get state(): MailboxPoolState {
    const backoff = this.#throttle.state;
    return {
      open: this.#open,
      idle: this.#idle.length,
      dialing: this.#places,
      waiting: this.#waiters.length,
      limit: this.#limit,
      transactions: this.#underWay,
      ...(backoff && { backoff }),
    };
  }

  /** Whether transactions wait for a connection, or are turned away for the lack of one: then a slow client must not keep one. */
  get hasWaiters(): boolean {
    if (this.#throttle.remainingMs > 0) return false;
    return this.#waiters.length > 0 || this.#options.now() - this.#turnedAwayAtMs < TURNED_AWAY_MS;
  }

  /**
   * Leases a connection: the most recently used idle one, else a new one while the limit allows, else the next one that
   * comes free, in the order of asking.
   *
   * @param beforehand Waited for first, by a transaction that counts as being under way.
   * @throws {PoolBusyError | ThrottledError | PoolClosedError | DialError | CircuitOpenError} or the token source's error, or
   * what `beforehand` throws.
   * @throws The signal's reason, when it aborts.
   */
  acquire(signal: AbortSignal, beforehand?: () => Promise<void>): Promise<Lease> {
    this.#underWay++;
    return this.#leaseWith(signal, async () => {
      this.#admit();
      if (beforehand) {
        await beforehand();
        this.#requireOpen();
      }
      return await this.#obtain(signal);
    });
  }

  /** Leases an idle connection if `acquire` would, without a wait; else `undefined`. */
  acquireIdle(signal: AbortSignal): Lease | undefined {
    const isFree = this.#state === "open" && !signal.aborted && this.#waiters.length === 0 &&
      this.#throttle.remainingMs === 0 && this.#underWay < this.#mailbox.provider.pool.maxTransactions;
    const connection = isFree ? this.#popIdle() : undefined;
    if (!connection) return undefined;
    this.#underWay++;
    return new Lease(connection, this.#giveBack);
  }

  /**
   * Replaces a leased connection that turned out dead, in the place that it had.
   *
   * @throws As `acquire`; the lease is over then, too.
   */
  renew(dead: Lease, signal: AbortSignal): Promise<Lease> {
    dead.surrender();
    dead.connection.close();
    this.#connections.delete(dead.connection);
    this.#places++;
    return this.#leaseWith(signal, async () => await this.#dial(signal) ?? await this.#obtain(signal));
  }

  /**
   * Runs work that opens a connection of its own and closes it, in the place of one of the pool's: the provider counts them
   * together. An idle connection leaves for it; a wait that the provider has asked for is not kept, since whoever tries wants
   * to know.
   *
   * @throws {PoolBusyError} When all connections stay in use. What `work` throws.
   * @throws The signal's reason, when it aborts.
   */
  async withPlace<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#open < this.#limit) this.#places++;
    else {
      const connection = this.#idle.pop() ?? await this.#waitForTurn(signal);
      if (connection) await this.#makePlaceOf(connection);
    }
    try {
      return await work();
    } finally {
      this.#places--;
      this.#dispatch();
    }
  }

  /**
   * Opens connections ahead of need until there are `count`. One that fails doesn't stop the others; why is logged.
   *
   * @returns how many were opened.
   */
  async prewarm(count: number, signal: AbortSignal): Promise<number> {
    // Those that are leaving have their places until they are gone.
    await this.#goodbyes.allSaid();
    if (this.#state !== "open" || this.#throttle.remainingMs > 0 || signal.aborted) return 0;
    const missing = Math.max(0, Math.min(count, this.#limit) - this.#open);
    const warmUp = async () => {
      this.#places++;
      const connection = await this.#dial(signal);
      if (connection) this.#put(connection);
      return connection !== undefined;
    };
    const results = await Promise.allSettled(Array.from({ length: missing }, warmUp));
    const failure = results.find((result) => result.status === "rejected");
    if (failure && !signal.aborted) this.#logWarmUpFailure(failure.reason);
    return results.filter((result) => result.status === "fulfilled" && result.value).length;
  }

  #logWarmUpFailure(reason: unknown): void {
    const account = this.#mailbox.email;
    const text = reason instanceof Error ? reason.message : String(reason);
    this.#options.log.warn("Warm-up of {account} failed: {reason}", { account, reason: text });
  }

  /**
   * Tells the pool of a reply in a transaction: throttles and quotas make the account wait.
   *
   * @param about Whom the refused command was about; what is said of a recipient concerns the account only at times.
   */
  noteReply(reply: Reply, about: "account" | "recipient" = "account"): void {
    const isAboutAccount = about === "account" || concernsAccount(reply);
    // The one that was told so is one of those that count.
    if (isAboutAccount && saysTooManyConnections(reply) && this.#keepTo(this.#open - 1, reply)) return;
    this.#throttle.noteReply(reply, about);
  }

  /** New credentials or limits: idle connections go, those in use go after the transaction in hand, waits are over. */
  replace(mailbox: Mailbox): void {
    this.#mailbox = mailbox;
    if (this.#state === "removed") this.#state = "open";
    const { limits, retry } = mailbox.provider;
    this.rates.limits = limits;
    this.#ceiling.lift();
    this.#throttle.reset(retry);
    this.#retireAll();
    this.#dispatch();
  }

  /** The account is gone: nothing new begins, and every connection is retired. `replace` brings it back. */
  remove(): void {
    if (this.#state === "open") this.#state = "removed";
    this.#waiters.rejectAll(removedError());
    this.#retireAll();
  }

  /**
   * Says QUIT on all idle connections in parallel, drops the rest, ends dials, turns waiters away. Never rejects.
   *
   * @param park Default: connections are closed at once.
   * @returns how many were idle.
   */
  async close(park?: Park): Promise<number> {
    this.#state = "closed";
    this.#throttle.close();
    this.#waiters.rejectAll(new PoolClosedError());
    this.#dials.abort(new PoolClosedError());
    const idle = this.#idle.takeAll();
    for (const connection of idle) {
      this.#goodbyes.say(connection, () => this.#connections.delete(connection), park);
    }
    for (const connection of this.#connections.keys()) {
      if (!this.#goodbyes.has(connection)) connection.close();
    }
    await Promise.all([this.#goodbyes.allSaid(), this.rates.close()]);
    return idle.length;
  }

  /** Idle connections go now, those in use after the transaction in hand, those being dialed after their first. */
  #retireAll(): void {
    this.#generation++;
    for (const connection of this.#idle.takeAll()) this.#retire(connection);
  }

  get #limit(): number {
    return Math.min(this.#mailbox.provider.limits.connections, this.#ceiling.limit);
  }

  get #open(): number {
    return this.#connections.size + this.#places;
  }

  /** @throws {PoolBusyError | PoolClosedError} */
  #requireOpen(): void {
    if (this.#state === "closed") throw new PoolClosedError();
    if (this.#state === "removed") throw removedError();
  }

  /** @throws {PoolBusyError | PoolClosedError} When no further transaction may begin. */
  #admit(): void {
    this.#requireOpen();
    const { maxTransactions } = this.#mailbox.provider.pool;
    if (this.#underWay > maxTransactions) {
      this.#turnedAwayAtMs = this.#options.now();
      throw new PoolBusyError(
        `${maxTransactions} transactions of the account are under way (max_concurrent_messages)`,
      );
    }
  }

  async #obtain(signal: AbortSignal): Promise<UpstreamConnection> {
    for (;;) {
      const connection = await this.#take(signal) ?? await this.#dial(signal);
      if (connection) return connection;
    }
  }

  /** A connection, or `undefined` with a place for a new one taken. */
  async #take(signal: AbortSignal): Promise<UpstreamConnection | undefined> {
    signal.throwIfAborted();
    if (this.#waiters.length === 0 && this.#throttle.remainingMs === 0) {
      const connection = this.#popIdle();
      if (connection) return connection;
      if (this.#open < this.#limit) {
        this.#places++;
        return undefined;
      }
    }
    const throttled = this.#throttle.error(this.#mailbox.provider.pool.waitTimeoutMs);
    if (throttled) throw throttled;
    return await this.#waitForTurn(signal);
  }

  /** As `#take`, behind those who wait already. */
  async #waitForTurn(signal: AbortSignal): Promise<UpstreamConnection | undefined> {
    const { waitTimeoutMs: timeoutMs } = this.#mailbox.provider.pool;
    const busy = `all ${this.#limit} connections of the account stayed busy for ${timeoutMs / 1000} s`;
    const onTimeout = () => this.#throttle.error() ?? new PoolBusyError(busy);
    const turn = this.#waiters.wait({ signal, timeoutMs, onTimeout });
    this.#dispatch();
    return await turn;
  }

  /** Ends a connection; its place stays taken. */
  async #makePlaceOf(connection: UpstreamConnection): Promise<void> {
    await new Promise<void>((resolve) => this.#goodbyes.say(connection, resolve));
    this.#connections.delete(connection);
    this.#places++;
  }

  /** Leases what `obtain` gets, unless an abort, a close or the account's end comes between; a failure ends the transaction. */
  async #leaseWith(signal: AbortSignal, obtain: () => Promise<UpstreamConnection>): Promise<Lease> {
    try {
      const connection = await obtain();
      if (this.#state === "open" && !signal.aborted) return new Lease(connection, this.#giveBack);
      this.#put(connection);
      signal.throwIfAborted();
      throw this.#state === "closed" ? new PoolClosedError() : removedError();
    } catch (error) {
      this.#underWay--;
      throw error;
    }
  }

  #giveBack = (connection: UpstreamConnection, state: ReturnState): void => {
    this.#underWay--;
    if (state === "broken") return this.#discard(connection);
    // Stays set until the RSET has been sent, which a transaction that sent nothing has not done.
    if (state === "needs-reset") connection.needsReset = true;
    this.#put(connection);
  };

  /** The most recently used connection that is still good; those that aren't are retired on the way. */
  #popIdle(): UpstreamConnection | undefined {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (connection.isUsable && !this.#isOld(connection)) return connection;
      this.#retire(connection);
    }
    return undefined;
  }

  #isOld(connection: UpstreamConnection): boolean {
    const { maxMessagesPerConnection, connectionMaxAgeMs } = this.#mailbox.provider.pool;
    return this.#connections.get(connection) !== this.#generation ||
      connection.transactions >= maxMessagesPerConnection ||
      this.#options.now() - connection.createdAtMs >= connectionMaxAgeMs;
  }

  /**
   * Dials in a place that is taken already, and gives the place back when it fails.
   *
   * @returns Nothing when the provider takes no more connections than there are.
   */
  async #dial(signal: AbortSignal): Promise<UpstreamConnection | undefined> {
    try {
      const [connection, generation] = await this.#dials.run(signal, (either) => this.#dialPresent(either));
      this.#places--;
      this.#connections.set(connection, generation);
      return connection;
    } catch (error) {
      this.#places--;
      const { reply } = error instanceof DialError ? error : {};
      const isSurplus = reply !== undefined && saysTooManyConnections(reply) &&
        this.#keepTo(this.#open, reply);
      if (!isSurplus) this.#throttle.noteDialFailure(error);
      this.#dispatch();
      if (isSurplus) return undefined;
      throw error;
    }
  }

  /** Goes on with so many connections, if there are any, after the provider has refused one more. @returns whether it can. */
  #keepTo(count: number, reply: Reply): boolean {
    if (count < 1) return false;
    if (this.#ceiling.lower(count)) {
      const { email: account, provider: { limits } } = this.#mailbox;
      this.#options.log.warn(
        "Account {account} goes on with {count} connections, of {limit}: its provider takes no more now: {reply}. If other programs use the mailbox, lower connections",
        { account, count, limit: limits.connections, reply: reply.text() },
      );
    }
    return true;
  }

  /** Dials again when the mailbox was replaced meanwhile: what failed were credentials or settings of the past. */
  async #dialPresent(signal: AbortSignal): Promise<[UpstreamConnection, generation: number]> {
    for (;;) {
      signal.throwIfAborted();
      const generation = this.#generation;
      try {
        return [await this.#options.dialer.dial(this.#mailbox, signal), generation];
      } catch (error) {
        if (generation === this.#generation || this.#state !== "open") throw error;
      }
    }
  }

  #onThrottleWait(): void {
    this.#options.onThrottle?.();
    // Nobody in the queue can wait for longer than this.
    const error = this.#throttle.error(this.#mailbox.provider.pool.waitTimeoutMs);
    if (error) this.#waiters.rejectAll(error);
  }

  /** Hands a free connection to the first waiter, or lets it idle under watch. */
  #put(connection: UpstreamConnection): void {
    if (this.#state === "closed" || !connection.isUsable) return this.#discard(connection);
    const isSurplus = this.#connections.size - this.#goodbyes.count > this.#limit;
    if (isSurplus || this.#isOld(connection)) return this.#retire(connection);
    if (this.#throttle.remainingMs === 0 && this.#waiters.give(connection)) return;
    const { connectionIdleTimeoutMs, connectionMaxAgeMs } = this.#mailbox.provider.pool;
    const ageLeftMs = connectionMaxAgeMs - (this.#options.now() - connection.createdAtMs);
    this.#idle.push(connection, Math.min(connectionIdleTimeoutMs, ageLeftMs), {
      onGone: () => this.#discard(connection),
      onIdleTimeout: () => this.#retire(connection),
    });
  }

  #discard(connection: UpstreamConnection): void {
    connection.close();
    if (this.#connections.delete(connection)) this.#dispatch();
  }

  #retire(connection: UpstreamConnection): void {
    this.#goodbyes.say(connection, () => this.#discard(connection));
  }

  /** Serves waiters as far as connections and free places go. */
  #dispatch(): void {
    if (this.#state === "closed" || this.#throttle.remainingMs > 0) return;
    while (this.#waiters.length > 0) {
      const connection = this.#popIdle();
      if (!connection && this.#open >= this.#limit) return;
      if (!connection) this.#places++;
      this.#waiters.give(connection);
    }
  }
}

function removedError(): PoolBusyError {
  return new PoolBusyError("the account was removed");
}
