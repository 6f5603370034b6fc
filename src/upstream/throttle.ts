/** Keeps one account back after its provider asked for less or refused it, says so in the log, and tells when it may go on. */

import type { Logger } from "@logtape/logtape";
import type { RetrySettings } from "../config/settings.ts";
import type { Reply } from "../smtp/reply.ts";
import { Backoff, type BackoffState } from "./backoff.ts";
import { type Cause, concernsAccount, diagnose, isThrottle } from "./diagnosis.ts";
import { DialError, type DialPhase, ThrottledError } from "./upstream_error.ts";

/**
 * Causes that last. A daily quota frees up slowly, and asking again within the hour only feeds the provider's throttling;
 * Gmail wants minutes of quiet after too many sign-ins.
 */
const LEAST_WAIT_MS: ReadonlyMap<Cause, number> = new Map<Cause, number>([
  ["quota-exceeded", 3_600_000],
  ["daily-limit", 3_600_000],
  ["too-many-sign-ins", 120_000],
]);

/** The longest that setTimeout takes; anything longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface ThrottleOptions {
  /** For the log. */
  readonly account: string;
  readonly retry: RetrySettings;
  readonly log: Logger;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
  /** A wait has begun or got longer. */
  readonly onWait: () => void;
  /** The wait is over. */
  readonly onEnd: () => void;
}

/** See the module. Owns a timer while the account waits; `close` ends it. */
export class Throttle {
  readonly #options: ThrottleOptions;
  readonly #backoff: Backoff;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: ThrottleOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options);
  }

  /** Time left; 0 when the account may go on. */
  get remainingMs(): number {
    return this.#backoff.remainingMs;
  }

  /** What the account waits for, if it does. */
  get state(): BackoffState | undefined {
    return this.#backoff.state;
  }

  /** The wait as an error, if there is one of at least `atLeastMs`. */
  error(atLeastMs = 1): ThrottledError | undefined {
    const state = this.#backoff.state;
    return state && state.remainingMs >= atLeastMs
      ? new ThrottledError(state.remainingMs, state.reason)
      : undefined;
  }

  /**
   * A reply inside a transaction.
   *
   * @param about What was refused: a provider's word on one recipient seldom concerns the account.
   */
  noteReply(reply: Reply, about: "account" | "recipient" = "account"): void {
    if (reply.code < 400 || (about === "recipient" && !concernsAccount(reply))) return;
    const { cause } = diagnose(reply);
    if (LEAST_WAIT_MS.has(cause) || isThrottle(reply)) this.#wait(reply);
  }

  /** A dial that failed. Whatever the provider refused there, it refuses to every message of the account. */
  noteDialFailure(error: unknown): void {
    if (!(error instanceof DialError) || error.reply === undefined) return;
    const { phase, challengeStatus } = error;
    this.#wait(error.reply, { phase, ...(challengeStatus !== undefined && { challengeStatus }) });
  }

  /** Lets the account go on at once: its settings or credentials are others now. Doesn't call `onEnd`. */
  reset(retry: RetrySettings): void {
    clearTimeout(this.#timer);
    this.#backoff.reset(retry);
  }

  /** Ends for good; nothing is called any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(reply: Reply, details: { phase?: DialPhase; challengeStatus?: string } = {}): void {
    const { cause, remedy } = diagnose(reply);
    const atLeastMs = LEAST_WAIT_MS.get(cause) ?? 0;
    if (this.#closed || !this.#backoff.fail(reply.text(), { remedy, atLeastMs })) return;
    const { log, account, onWait } = this.#options;
    log.warn("Account {account} waits {seconds} s, its provider refused it ({cause}): {reply}. {remedy}", {
      account,
      seconds: Math.ceil(this.remainingMs / 1000),
      cause,
      reply: reply.text(),
      remedy,
      ...details,
    });
    this.#startTimer();
    onWait();
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Timers are a little early, and can't be as long as a wait may be: what is left is waited for.
      if (this.remainingMs > 0) this.#startTimer();
      else this.#options.onEnd();
    }, Math.min(Math.ceil(this.remainingMs), LONGEST_TIMER_MS));
    Deno.unrefTimer(this.#timer);
  }
}
