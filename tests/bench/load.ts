/** A load: so many sessions, each sending one message after the other, measured between two instants. */

import { LatencySamples } from "./latency_samples.ts";
import { type ClientOptions, LoaderSession, UnexpectedReplyError } from "./loader_session.ts";

/** How much to send. */
export interface LoadOptions {
  readonly sessions: number;
  /** Mailboxes that the sessions sign in as, in turn. */
  readonly users: readonly string[];
  /** A connection for each message instead of one for a session. */
  readonly connectsPerMessage: boolean;
  /** Messages in all; after these the load ends. Absent: `seconds` decides. */
  readonly messages?: number;
  /** Length of the measurement. */
  readonly seconds?: number;
  /** Messages that all sessions together begin in a second, evenly spread; absent: as many as go. */
  readonly messagesPerSecond?: number;
  /** Sending before the measurement begins. */
  readonly warmUpSeconds: number;
  /** Keeps the numbers of acknowledged messages. */
  readonly keepsNumbers: boolean;
}

/** What came of a load. */
export interface LoadResult {
  /** Messages that were acknowledged within the measurement. */
  readonly messages: number;
  /** Messages that were acknowledged at any time, warm-up included. */
  readonly messagesInAll: number;
  readonly elapsedMs: number;
  readonly perSecond: number;
  /** From MAIL (or the connection, where each message has its own) to the final reply. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Why sessions or messages failed, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Numbers of all acknowledged messages, if kept. */
  readonly acknowledged: readonly number[];
}

/** Runs one load; a failed session or message is counted and never ends it. */
export class Load {
  readonly #options: LoadOptions;
  readonly #client: ClientOptions;
  readonly #latencies = new LatencySamples();
  readonly #failures: Record<string, number> = {};
  readonly #acknowledged: number[] = [];
  #nextNumber = 0;
  #messagesInAll = 0;
  #measureFromMs = 0;
  #measureToMs = Infinity;
  #lastReplyMs = 0;

  constructor(client: ClientOptions, options: LoadOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * Sends it all.
   *
   * @param onSignedIn Called when every session has signed in and the first message is about to be sent.
   */
  async run(onSignedIn: () => void): Promise<LoadResult> {
    const { sessions, seconds, warmUpSeconds, connectsPerMessage } = this.#options;
    const indexes = Array.from({ length: sessions }, (_, index) => index);
    const open = connectsPerMessage ? [] : await Promise.all(indexes.map((index) => this.#open(index)));
    onSignedIn();
    this.#measureFromMs = performance.now() + warmUpSeconds * 1000;
    if (seconds !== undefined) this.#measureToMs = this.#measureFromMs + seconds * 1000;
    if (connectsPerMessage) await Promise.all(indexes.map((index) => this.#sendEachOnItsOwn(index)));
    else await Promise.all(open.map((session, index) => session && this.#sendAll(session, index)));
    return this.#result();
  }

  async #open(index: number): Promise<LoaderSession | undefined> {
    try {
      const { users } = this.#options;
      return await LoaderSession.open(users[index % users.length] ?? "", this.#client);
    } catch (error) {
      this.#countFailure(error);
      return undefined;
    }
  }

  async #sendAll(session: LoaderSession, index: number): Promise<void> {
    const { sessions, messagesPerSecond = Infinity } = this.#options;
    const intervalMs = sessions * 1000 / messagesPerSecond;
    let nextMs = performance.now() + intervalMs * index / sessions;
    try {
      while (this.#hasMore()) {
        const waitMs = nextMs - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        // One that comes late goes at once, and those behind it keep their times as far as that goes.
        nextMs = Math.max(nextMs + intervalMs, performance.now() - intervalMs);
        await this.#send(session, performance.now());
      }
      await session.quit();
    } catch (error) {
      this.#countFailure(error);
      session.close();
    }
  }

  async #sendEachOnItsOwn(index: number): Promise<void> {
    while (this.#hasMore()) {
      const startMs = performance.now();
      const session = await this.#open(index);
      if (!session) return;
      try {
        await this.#send(session, startMs);
        await session.quit();
      } catch (error) {
        this.#countFailure(error);
        session.close();
      }
    }
  }

  #hasMore(): boolean {
    return this.#nextNumber < (this.#options.messages ?? Infinity) && performance.now() < this.#measureToMs;
  }

  async #send(session: LoaderSession, startMs: number): Promise<void> {
    const number = this.#nextNumber++;
    await session.send(number);
    const nowMs = performance.now();
    this.#messagesInAll++;
    if (nowMs >= this.#measureFromMs && nowMs <= this.#measureToMs) {
      this.#latencies.add(nowMs - startMs);
      this.#lastReplyMs = nowMs;
    }
    if (this.#options.keepsNumbers) this.#acknowledged.push(number);
  }

  #countFailure(error: unknown): void {
    const text = error instanceof UnexpectedReplyError
      ? `${error.phase}: ${error.line}`
      : error instanceof Error
      ? `${error.name}: ${error.message}`
      : String(error);
    this.#failures[text] = (this.#failures[text] ?? 0) + 1;
  }

  #result(): LoadResult {
    const toMs = Number.isFinite(this.#measureToMs) ? this.#measureToMs : this.#lastReplyMs;
    const elapsedMs = toMs - this.#measureFromMs;
    const messages = this.#latencies.count;
    return {
      messages,
      messagesInAll: this.#messagesInAll,
      elapsedMs,
      perSecond: messages / elapsedMs * 1000,
      p50Ms: this.#latencies.percentile(0.5),
      p99Ms: this.#latencies.percentile(0.99),
      maxMs: this.#latencies.percentile(1),
      failures: this.#failures,
      acknowledged: this.#acknowledged,
    };
  }
}
