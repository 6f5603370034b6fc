/** The waiting time of one account after its provider asked for less, or refused its sign-in. */

import type { RetrySettings } from "../config/settings.ts";

/** What an account waits for. */
export interface BackoffState {
  readonly reason: string;
  readonly remedy: string;
  readonly remainingMs: number;
  /** How many times in a row. */
  readonly failures: number;
}

const FIRST_DELAY_MS = 1_000;

export interface BackoffOptions {
  readonly retry: RetrySettings;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** Grows with each failure, by the account's retry settings, and starts anew after a success. */
export class Backoff {
  readonly #retry: RetrySettings;
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #untilMs = 0;
  #reason = "";
  #remedy = "";

  constructor({ retry, now, random = Math.random }: BackoffOptions) {
    this.#retry = retry;
    this.#now = now;
    this.#random = random;
  }

  /** Time left; 0 when the account may go on. */
  get remainingMs(): number {
    return Math.max(0, this.#untilMs - this.#now());
  }

  get state(): BackoffState | undefined {
    const remainingMs = this.remainingMs;
    if (remainingMs === 0) return undefined;
    return { reason: this.#reason, remedy: this.#remedy, remainingMs, failures: this.#failures };
  }

  /**
   * One more failure.
   *
   * @param atLeastMs For causes that are known to last (a daily quota).
   */
  fail(reason: string, { remedy, atLeastMs = 0 }: { remedy: string; atLeastMs?: number }): number {
    const { backoffFactor, maxDelayMs, jitter } = this.#retry;
    const full = Math.min(maxDelayMs, FIRST_DELAY_MS * backoffFactor ** this.#failures);
    // Half fixed, half random: accounts that were throttled together don't come back together.
    const delayMs = Math.max(atLeastMs, jitter ? full / 2 + this.#random() * full / 2 : full);
    this.#failures++;
    this.#untilMs = this.#now() + delayMs;
    this.#reason = reason;
    this.#remedy = remedy;
    return delayMs;
  }

  succeed(): void {
    this.#failures = 0;
    this.#untilMs = 0;
  }
}
