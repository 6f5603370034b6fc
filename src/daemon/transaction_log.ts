/** What is told of each transaction: one line in the log, the metrics, and the last few for the page. */

import type { Logger } from "@logtape/logtape";
import type { TransactionObserver, TransactionRecord } from "../relay/transaction_record.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** How many transactions are remembered. */
const REMEMBERED = 300;

export interface TransactionLogOptions {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

/** Observes all transactions of the daemon. */
export class TransactionLog {
  readonly #options: TransactionLogOptions;
  readonly #recent: (TransactionRecord & { readonly endedAtMs: number })[] = [];
  #next = 0;

  constructor(options: TransactionLogOptions) {
    this.#options = options;
  }

  /** Newest first. */
  get recent(): readonly (TransactionRecord & { readonly endedAtMs: number })[] {
    return [...this.#recent.slice(0, this.#next).reverse(), ...this.#recent.slice(this.#next).reverse()];
  }

  readonly observe: TransactionObserver = (record) => {
    const { metrics, now } = this.#options;
    metrics.transactionEnded(record);
    this.#recent[this.#next] = { ...record, endedAtMs: now() };
    this.#next = (this.#next + 1) % REMEMBERED;
    this.#write(record);
  };

  #write(record: TransactionRecord): void {
    const { log } = this.#options;
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
        return log.info(RELAYED, properties);
      case "abandoned":
        return log.info(ABANDONED, properties);
      case "rejected":
        return log.warn(REFUSED, properties);
      case "deferred":
        return log.warn(outcomeUnknown ? UNKNOWN : REFUSED, properties);
    }
  }
}

const RELAYED =
  "Message {outcome}: {account} {messageOctets} octets, {recipients} recipients, {durationMs} ms: {reply}";
const ABANDONED = "Message abandoned by its client: {account} after {durationMs} ms";
const REFUSED = "Message {outcome}: {account} {messageOctets} octets, {durationMs} ms: {reply}";
const UNKNOWN =
  "Message deferred with its fate unknown: {account} sent {messageOctets} octets whole and the provider's reply never came; the client sends it again, and it may arrive twice: {reply}";

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
