/** How much a token endpoint is asked: retries, a time budget, a circuit breaker and a cap on requests at a time. */

import {
  bulkhead,
  circuitBreaker,
  ConsecutiveBreaker,
  ConstantBackoff,
  ExponentialBackoff,
  fullJitterGenerator,
  handleWhen,
  type IPolicy,
  isBrokenCircuitError,
  noJitterGenerator,
  noop,
  retry,
} from "cockatiel";
import type { CircuitBreakerSettings, RetrySettings } from "../config/settings.ts";
import { abortable } from "../waiting/abortable.ts";
import { delay } from "../waiting/delay.ts";
import { TokenError } from "./token_error.ts";
import { withTimeout } from "../waiting/with_timeout.ts";

/** What a guard is made of. */
export interface EndpointGuardOptions {
  readonly circuitBreaker: CircuitBreakerSettings;
  /** Requests under way at a time; others queue. */
  readonly maxConcurrentRequests: number;
}

/** For whom one token request is made, and how it may be repeated. */
export interface GuardedRequest {
  /** E-mail of the account. */
  readonly account: string;
  readonly signal: AbortSignal;
  /** Budget of all tries together, counted from when the request leaves the queue. */
  readonly timeoutMs: number;
  readonly retry: RetrySettings;
}

const initialDelayMs = 250;

/**
 * Stands before one token endpoint, shared by all accounts that use it. Its circuit opens when as many accounts as its threshold
 * says have failed and none has succeeded meanwhile: one account's failures, however many, are no others' business, and its
 * manager holds it off by itself.
 */
export class EndpointGuard {
  readonly #breaker: IPolicy;
  readonly #limit: IPolicy;
  /** Accounts that have failed since the last success, or since the circuit opened. */
  readonly #failing = new Set<string>();
  readonly #accountOf = new WeakMap<TokenError, string>();
  #isClosed = true;

  constructor({ circuitBreaker: settings, maxConcurrentRequests }: EndpointGuardOptions) {
    this.#limit = bulkhead(maxConcurrentRequests, Infinity);
    this.#breaker = settings.enabled ? this.#makeBreaker(settings) : noop;
  }

  #makeBreaker({ failureThreshold, recoveryTimeoutMs }: CircuitBreakerSettings): IPolicy {
    const breaker = circuitBreaker(handleWhen((error) => this.#counts(error)), {
      breaker: new ConsecutiveBreaker(failureThreshold),
      halfOpenAfter: recoveryTimeoutMs,
    });
    breaker.onBreak(() => {
      this.#isClosed = false;
      this.#failing.clear();
    });
    breaker.onReset(() => this.#isClosed = true);
    return breaker;
  }

  /** Whether the endpoint failed an account that it had not failed before; after the circuit has opened, any. */
  #counts(error: unknown): boolean {
    const account = error instanceof TokenError ? this.#accountOf.get(error) : undefined;
    if (account === undefined) return false;
    if (!this.#isClosed) return true;
    if (this.#failing.has(account)) return false;
    this.#failing.add(account);
    return true;
  }

  /**
   * Runs `request` as often as its retries and budget allow.
   *
   * @throws {TokenError} Of the last try, or when the circuit is open.
   * @throws The signal's reason when it aborted, or whatever else `request` threw.
   */
  async run<T>(request: (signal: AbortSignal) => Promise<T>, options: GuardedRequest): Promise<T> {
    const { signal, timeoutMs } = options;
    const work = this.#limit.execute(() =>
      withTimeout((budget) => this.#tryRepeatedly(request, { ...options, signal: budget }), {
        signal,
        timeoutMs,
      })
    );
    try {
      return await abortable(work, signal);
    } catch (error) {
      // The budget may run out between two tries, where no request is there to fail.
      if (signal.aborted || !(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
      throw new TokenError("TOKEN_UNAVAILABLE", "the token endpoint did not answer in time", {
        remedy: "Wait, and look in the log for the failures before this one",
        cause: error,
      });
    }
  }

  async #tryRepeatedly<T>(request: (signal: AbortSignal) => Promise<T>, options: GuardedRequest): Promise<T> {
    const { signal, timeoutMs, retry: settings } = options;
    const endMs = performance.now() + timeoutMs;
    const pause = new Pause(settings);
    const policy = retry(handleWhen((error) => pause.fits(error, endMs - performance.now())), {
      maxAttempts: settings.maxAttempts - 1,
      // cockatiel's own wait does not end with the signal; the pause below does.
      backoff: new ConstantBackoff(0),
    });
    return await policy.execute(async ({ attempt }) => {
      if (attempt > 0) await delay(pause.nextMs, signal);
      return await this.#tryOnce(request, {
        account: options.account,
        signal,
        timeoutMs: Math.max((endMs - performance.now()) / 2, 0),
      });
    }, signal);
  }

  /** One try has half of the time that is left, so that one lost connection does not use up the budget. */
  async #tryOnce<T>(
    request: (signal: AbortSignal) => Promise<T>,
    limits: Pick<GuardedRequest, "account" | "signal" | "timeoutMs">,
  ): Promise<T> {
    limits.signal.throwIfAborted();
    try {
      return await this.#breaker.execute(() => this.#ask(request, limits), limits.signal);
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw new TokenError(
        "TOKEN_UNAVAILABLE",
        "the token endpoint keeps failing and is left alone for a while",
        {
          remedy: "Wait, and look in the log for the failures before this one",
        },
      );
    }
  }

  async #ask<T>(
    request: (signal: AbortSignal) => Promise<T>,
    { account, ...limits }: Pick<GuardedRequest, "account" | "signal" | "timeoutMs">,
  ): Promise<T> {
    try {
      const answer = await withTimeout(request, limits);
      this.#failing.clear();
      return answer;
    } catch (error) {
      if (isEndpointFailure(error)) this.#accountOf.set(error, account);
      throw error;
    }
  }
}

/** The growing pause between tries; a Retry-After is kept to when it is longer. */
class Pause {
  #backoff;
  nextMs = 0;

  constructor(settings: RetrySettings) {
    this.#backoff = new ExponentialBackoff({
      initialDelay: initialDelayMs,
      maxDelay: settings.maxDelayMs,
      exponent: settings.backoffFactor,
      generator: settings.jitter ? fullJitterGenerator : noJitterGenerator,
    }).next();
  }

  /** Settles the pause after `error`, and tells whether another try after it still fits into the time that is left. */
  fits(error: unknown, leftMs: number): boolean {
    if (!(error instanceof TokenError) || error.code !== "TOKEN_UNAVAILABLE") return false;
    // The request would be the same again, with the refresh token that is spent; or with a key that can't be used.
    if (error.refreshToken !== undefined || error.isLocal) return false;
    this.nextMs = Math.max(this.#backoff.duration, error.retryAfterMs ?? 0);
    this.#backoff = this.#backoff.next(undefined);
    return this.nextMs < leftMs;
  }
}

/**
 * No answer, or a fault of the endpoint's own. Any other answer may be meant for one account or app, throttling too, and
 * is no reason to leave the endpoint alone.
 */
function isEndpointFailure(error: unknown): error is TokenError {
  if (!(error instanceof TokenError) || error.code !== "TOKEN_UNAVAILABLE") return false;
  if (error.throttled || error.isLocal) return false;
  return error.status === undefined || error.status >= 500;
}
