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

/**
 * Grows with each refusal in a row, by the account's retry settings.
 *
 * In a row means: before a time as long as the last wait has passed without one. A positive reply says less, since a
 * provider that refuses at RCPT or at the final dot has said yes to MAIL before.
 */
export class Backoff {
  #retry: RetrySettings;
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #untilMs = 0;
  #lastDelayMs = 0;
  #reason = "";
  #remedy = "";

  constructor({ retry, now, random = Math.random }: BackoffOptions) {
    this.#retry = retry;
    this.#now = now;
    this.#random = random;
  }

  /** Time left; 0 when the account may go on. */
  get remainingMs(): number {
    return this.#untilMs === 0 ? 0 : Math.max(0, this.#untilMs - this.#now());
  }

  get state(): BackoffState | undefined {
    const remainingMs = this.remainingMs;
    if (remainingMs === 0) return undefined;
    return { reason: this.#reason, remedy: this.#remedy, remainingMs, failures: this.#failures };
  }

  /**
   * One more refusal. One that comes while the account waits was under way before, and belongs to the same event.
   *
   * @param atLeastMs For causes that are known to last (a daily quota).
   * @returns whether the wait has begun, or got longer.
   */
  fail(reason: string, { remedy, atLeastMs = 0 }: { remedy: string; atLeastMs?: number }): boolean {
    const nowMs = this.#now();
    const remainingMs = this.remainingMs;
    if (remainingMs > 0 && atLeastMs <= remainingMs) return false;
    const delayMs = Math.max(atLeastMs, remainingMs > 0 ? 0 : this.#nextDelayMs(nowMs));
    this.#lastDelayMs = delayMs;
    this.#untilMs = nowMs + delayMs;
    this.#reason = reason;
    this.#remedy = remedy;
    return true;
  }

  /** Starts anew, by other settings if there are: what stood behind the refusals has been changed. */
  reset(retry: RetrySettings = this.#retry): void {
    this.#retry = retry;
    this.#failures = 0;
    this.#untilMs = 0;
    this.#lastDelayMs = 0;
  }

  #nextDelayMs(nowMs: number): number {
    const { backoffFactor, maxDelayMs, jitter } = this.#retry;
    if (nowMs - this.#untilMs > this.#lastDelayMs) this.#failures = 0;
    const fullMs = Math.min(maxDelayMs, FIRST_DELAY_MS * backoffFactor ** this.#failures++);
    // Half fixed, half random: accounts that were throttled together don't come back together.
    return jitter ? fullMs / 2 + this.#random() * fullMs / 2 : fullMs;
  }
}
