/** What a mailbox may send in a minute and in a day, counted here so that the provider need not refuse. */

import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { MailboxLimits } from "../config/settings.ts";
import { RateLimitError } from "./upstream_error.ts";

/** A message waits this long for its minute, then its client reads 451. */
const MAX_SHAPING_MS = 5_000;
const DAY_SECONDS = 86_400;

/** Counters of one account. */
export class MailboxRates {
  readonly #messages: RateLimiterMemory | undefined;
  readonly #recipients: RateLimiterMemory | undefined;
  readonly #limits: MailboxLimits;

  constructor(limits: MailboxLimits) {
    this.#limits = limits;
    const { messagesPerMinute, recipientsPerDay } = limits;
    this.#messages = messagesPerMinute === undefined
      ? undefined
      : new RateLimiterMemory({ points: messagesPerMinute, duration: 60 });
    this.#recipients = recipientsPerDay === undefined
      ? undefined
      : new RateLimiterMemory({ points: recipientsPerDay, duration: DAY_SECONDS });
  }

  /**
   * Counts a message, waiting a little when the minute is full.
   *
   * @throws {RateLimitError} When it would have to wait longer.
   * @throws The signal's reason, when it aborts.
   */
  async countMessage(signal: AbortSignal): Promise<void> {
    if (this.#messages === undefined) return;
    const waitMs = await take(this.#messages);
    if (waitMs === 0) return;
    if (waitMs <= MAX_SHAPING_MS) {
      await sleep(waitMs, signal);
      if (await take(this.#messages) === 0) return;
    }
    throw new RateLimitError(waitMs, `rate limit of ${this.#limits.messagesPerMinute} messages a minute`);
  }

  /** Counts a recipient. @throws {RateLimitError} When the day is full. */
  async countRecipient(): Promise<void> {
    if (this.#recipients === undefined) return;
    const waitMs = await take(this.#recipients);
    if (waitMs > 0) {
      throw new RateLimitError(waitMs, `limit of ${this.#limits.recipientsPerDay} recipients a day`);
    }
  }

  /** What is left of each limit, for status. */
  async remaining(): Promise<{ messagesThisMinute?: number; recipientsToday?: number }> {
    const messages = await this.#messages?.get("");
    const recipients = await this.#recipients?.get("");
    return {
      ...(this.#messages &&
        { messagesThisMinute: messages?.remainingPoints ?? this.#limits.messagesPerMinute! }),
      ...(this.#recipients &&
        { recipientsToday: recipients?.remainingPoints ?? this.#limits.recipientsPerDay! }),
    };
  }
}

/** Takes one point; returns how long to wait for the next one, 0 when it was there. */
async function take(limiter: RateLimiterMemory): Promise<number> {
  try {
    await limiter.consume("");
    return 0;
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return Math.max(1, refusal.msBeforeNext);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
    };
    const cancel = () => {
      done();
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      done();
      resolve();
    }, ms);
    signal.addEventListener("abort", cancel, { once: true });
  });
}
