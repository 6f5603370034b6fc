/** What is told of each transaction: the metrics and the last few for the page at once, one line in the log soon after. */

import type { TransactionObserver, TransactionRecord } from "../relay/transaction_record.ts";
import type { LineFunction } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** How many transactions are remembered. */
const REMEMBERED = 300;

/**
 * Lines wait until no transaction has ended for this long, or there are `MOST_WAITING` of them. Written in between, a line takes
 * a third of a message's processor time, and the client's next reply waits for it; written one after the other, a tenth.
 */
const QUIET_MS = 2;
const MOST_WAITING = 64;

export interface TransactionLogOptions {
  readonly write: LineFunction;
  readonly metrics: Metrics;
  readonly now: () => number;
}

/** A transaction, and when it was over. */
export type EndedTransaction = TransactionRecord & { readonly endedAtMs: number };

/** Observes all transactions of the daemon. Disposing writes what waits; later transactions are written at once. */
export class TransactionLog implements Disposable {
  readonly #options: TransactionLogOptions;
  readonly #recent: EndedTransaction[] = [];
  #next = 0;
  #waiting: TransactionRecord[] = [];
  #waitingBefore = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  constructor(options: TransactionLogOptions) {
    this.#options = options;
  }

  /** Newest first. */
  get recent(): readonly EndedTransaction[] {
    return [...this.#recent.slice(0, this.#next).reverse(), ...this.#recent.slice(this.#next).reverse()];
  }

  readonly observe: TransactionObserver = (record) => {
    const { metrics, now } = this.#options;
    metrics.transactionEnded(record);
    this.#recent[this.#next] = { ...record, endedAtMs: now() };
    this.#next = (this.#next + 1) % REMEMBERED;
    this.#waiting.push(record);
    if (this.#isDisposed) this.flush();
    else this.#timer ??= setTimeout(this.#onTimer, QUIET_MS);
  };

  /** Writes the lines that wait. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#waiting;
    this.#waiting = [];
    this.#waitingBefore = 0;
    for (const record of records) this.#write(record);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.flush();
  }

  #onTimer = (): void => {
    const { length } = this.#waiting;
    if (length === this.#waitingBefore || length >= MOST_WAITING) return this.flush();
    this.#waitingBefore = length;
    this.#timer = setTimeout(this.#onTimer, QUIET_MS);
  };

  #write(record: TransactionRecord): void {
    const { write } = this.#options;
    const { reply, outcomeUnknown, ...rest } = record;
    const properties = {
      ...rest,
      poolWaitMs: round(record.poolWaitMs),
      durationMs: round(record.durationMs),
      ...(record.finalReplyMs !== undefined && { finalReplyMs: round(record.finalReplyMs) }),
      ...(reply && { reply: reply.text() }),
    };
    switch (record.outcome) {
      case "relayed":
      case "dry-run":
        return write("info", RELAYED, properties);
      case "abandoned":
        return write("info", ABANDONED, properties);
      case "rejected":
        return write("warning", REFUSED, properties);
      case "deferred":
        return write("warning", outcomeUnknown ? UNKNOWN : REFUSED, properties);
    }
  }
}

const RELAYED =
  "Message {outcome}: {account} {messageOctets} octets, {recipients} recipients, {durationMs} ms: {reply}";
const ABANDONED = "Message abandoned by its client: {account} after {durationMs} ms";
const REFUSED = "Message {outcome}: {account} {messageOctets} octets, {durationMs} ms: {reply}";
const UNKNOWN =
  "Message deferred with its fate unknown: {account} sent {messageOctets} octets whole and got no reply that tells; the client sends it again, and it may arrive twice: {reply}";

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
