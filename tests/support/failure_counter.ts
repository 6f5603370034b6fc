/** Counts failed sign-ins as the daemon does, and can be cleared: its timers would outlive a test. */

import { RateLimiterMemory, type RateLimiterRes } from "rate-limiter-flexible";

/** See `AuthenticatorOptions.failures`. */
export class FailureCounter extends RateLimiterMemory {
  readonly #keys = new Set<string>();

  /** Defaults as the authenticator's own. */
  constructor({ maxFailures = 10, failureWindowSeconds = 600 }: {
    maxFailures?: number;
    failureWindowSeconds?: number;
  } = {}) {
    super({ points: maxFailures, duration: failureWindowSeconds });
  }

  override consume(key: string): Promise<RateLimiterRes> {
    this.#keys.add(key);
    return super.consume(key);
  }

  /** Forgets everything, with its timers. */
  async clear(): Promise<void> {
    for (const key of this.#keys) await this.delete(key);
  }
}
