/** What a mailbox may send in a minute and in a day, counted here so that the provider need not refuse. */

import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { MailboxLimits } from "../config/settings.ts";
import { RateLimitError } from "./upstream_error.ts";

const DAY_SECONDS = 86_400;
/** What is told to wait for while it is messages under way that fill the day. */
const UNDER_WAY_MS = 60_000;

/** Two windows are at least as far apart as the shorter of them. */
const WINDOW_TOLERANCE_MS = 20;

/** A message that was counted. */
export interface MessageCount {
  /** When the minute is over in which it counts, on the clock of `performance.now`. */
  readonly windowEndMs: number;
}

export interface MailboxRatesOptions {
  /** Told when a limit has turned something away. */
  readonly onLimit?: () => void;
  /** Length of the window of `messagesPerMinute` in seconds. Default: 60. */
  readonly minuteSeconds?: number;
  /** A message waits this long for its window, then its client reads 451. Default: 5,000. */
  readonly maxShapingMs?: number;
}

/** Counters of one account. They start with its first message, and last as long as the daemon. */
export class MailboxRates {
  readonly #options: MailboxRatesOptions;
  #limits: MailboxLimits = { connections: 0 };
  #messages: RateLimiterMemory | undefined;
  #recipients: RateLimiterMemory | undefined;
  /** Recipients of messages under way. */
  #admitted = 0;
  #closed = false;

  constructor(limits: MailboxLimits, options: MailboxRatesOptions = {}) {
    this.#options = options;
    this.limits = limits;
  }

  /** Changes the limits; what has been counted stays counted. */
  set limits(limits: MailboxLimits) {
    this.#limits = limits;
    const { messagesPerMinute, recipientsPerDay } = limits;
    this.#messages = withPoints(this.#messages, messagesPerMinute, this.#options.minuteSeconds ?? 60);
    this.#recipients = withPoints(this.#recipients, recipientsPerDay, DAY_SECONDS);
  }

  /**
   * Counts a message, waiting a little when the minute is full.
   *
   * @returns What `uncountMessage` takes; nothing where messages aren't counted.
   * @throws {RateLimitError} When it would have to wait longer.
   * @throws The signal's reason, when it aborts.
   */
  async countMessage(signal: AbortSignal): Promise<MessageCount | undefined> {
    let budgetMs = this.#options.maxShapingMs ?? 5_000;
    for (;;) {
      const { waitMs, windowEndMs } = await this.#take(this.#messages);
      if (waitMs === 0) return windowEndMs === undefined ? undefined : { windowEndMs };
      if (waitMs > budgetMs) {
        throw this.#refusal(waitMs, `rate limit of ${this.#limits.messagesPerMinute} messages a minute`);
      }
      budgetMs -= waitMs;
      await sleep(waitMs, signal);
    }
  }

  /** Whether messages are counted. */
  get countsMessages(): boolean {
    return this.#messages !== undefined;
  }

  /** Takes back the count of a message that didn't go out, unless its minute is over. */
  async uncountMessage({ windowEndMs }: MessageCount): Promise<void> {
    const counted = await this.#messages?.get("");
    if (!counted || counted.consumedPoints === 0 || counted.msBeforeNext <= 0) return;
    const isSameWindow =
      Math.abs(performance.now() + counted.msBeforeNext - windowEndMs) < WINDOW_TOLERANCE_MS;
    if (isSameWindow) await this.#messages!.reward("");
  }

  /**
   * Keeps room in the day for one more recipient, until `releaseRecipients`. It is counted when its message has gone out, so
   * that messages which don't, as in an outage, use nothing up.
   *
   * @throws {RateLimitError} When the day is full.
   */
  async admitRecipient(): Promise<void> {
    const limit = this.#limits.recipientsPerDay;
    const counted = await this.#recipients?.get("");
    if (limit === undefined || (counted?.consumedPoints ?? 0) + this.#admitted < limit) {
      this.#admitted++;
      return;
    }
    throw this.#refusal(counted?.msBeforeNext ?? UNDER_WAY_MS, `limit of ${limit} recipients a day`);
  }

  /** Gives back the room of a message that is over. @param recipients Those that were admitted for it. */
  releaseRecipients(recipients: number): void {
    this.#admitted -= recipients;
  }

  /** Counts the recipients of a message that has gone out. */
  async countRecipients(recipients: number): Promise<void> {
    if (this.#recipients !== undefined && !this.#closed) await this.#recipients.penalty("", recipients);
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

  /** Forgets the counts with their timers; nothing is counted any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#messages?.delete("");
    await this.#recipients?.delete("");
  }

  /** Takes one point; returns how long to wait for the next one, 0 when it was there, and until when it counts. */
  async #take(limiter: RateLimiterMemory | undefined): Promise<{ waitMs: number; windowEndMs?: number }> {
    if (limiter === undefined || this.#closed) return { waitMs: 0 };
    try {
      const { msBeforeNext } = await limiter.consume("");
      return { waitMs: 0, windowEndMs: performance.now() + msBeforeNext };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      // The limiter counts what it refuses, too.
      await limiter.reward("");
      return { waitMs: Math.max(1, refusal.msBeforeNext) };
    }
  }

  #refusal(waitMs: number, limit: string): RateLimitError {
    this.#options.onLimit?.();
    return new RateLimitError(waitMs, limit);
  }
}

function withPoints(
  limiter: RateLimiterMemory | undefined,
  points: number | undefined,
  duration: number,
): RateLimiterMemory | undefined {
  if (points === undefined) return undefined;
  if (limiter === undefined) return new RateLimiterMemory({ points, duration });
  limiter.points = points;
  return limiter;
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
