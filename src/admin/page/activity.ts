/** Messages and their latency by the minute, for the charts. Kept from the first look at the overview on. */

import type { TransactionRecord } from "../../relay/transaction_record.ts";

/** A transaction that is over. */
export type EndedTransaction = Pick<TransactionRecord, "outcome" | "durationMs"> & {
  readonly endedAtMs: number;
};

/** Where the figures come from. */
export interface ActivityOptions {
  /** The last transactions, in any order; the same object each time for the same transaction. */
  readonly recent: () => readonly EndedTransaction[];
  /** Metrics in the Prometheus text format: the counters see also what `recent` has forgotten. */
  readonly metrics: () => Promise<string>;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** Between two samples while nobody looks; default 10,000. */
  readonly intervalMs?: number;
}

/** One minute of a chart. */
export interface ActivityMinute {
  readonly startMs: number;
  readonly relayed: number;
  /** Deferred or rejected. */
  readonly failed: number;
  /** From MAIL to the reply, of the messages that were relayed; absent if there were none. */
  readonly medianMs?: number;
  readonly p95Ms?: number;
}

interface Bucket {
  relayed: number;
  failed: number;
  readonly durationsMs: number[];
}

type Counts = Pick<Bucket, "relayed" | "failed">;

const minuteMs = 60_000;
/** What the charts show, and no more is kept. */
const keptMinutes = 30;
const durationsPerMinute = 2000;

/** Counts by the minute. */
export class Activity {
  readonly #options: ActivityOptions;
  readonly #buckets = new Map<number, Bucket>();
  readonly #seen = new WeakSet<EndedTransaction>();
  #counts: Counts | undefined;
  #sampling: Promise<void> | undefined;
  #isWatching = false;

  constructor(options: ActivityOptions) {
    this.#options = options;
  }

  /** Goes on to sample, whether anybody looks or not, until the signal aborts. Once is enough. */
  watch(signal: AbortSignal): void {
    if (this.#isWatching || signal.aborted) return;
    this.#isWatching = true;
    const timer = setInterval(() => {
      this.sample().catch(() => {}); // whoever looks next meets the same error, and tells
    }, this.#options.intervalMs ?? 10_000);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Takes in what has happened since the last call; callers at the same time share one sample. */
  sample(): Promise<void> {
    this.#sampling ??= this.#sample().finally(() => {
      this.#sampling = undefined;
    });
    return this.#sampling;
  }

  /** The last half hour, oldest first; the last minute is the present one. */
  minutes(): ActivityMinute[] {
    const thisMinute = minuteOf(this.#options.now());
    return Array.from({ length: keptMinutes }, (_, index) => {
      const minute = thisMinute - (keptMinutes - 1 - index);
      const { relayed = 0, failed = 0, durationsMs = [] } = this.#buckets.get(minute) ?? {};
      return { startMs: minute * minuteMs, relayed, failed, ...percentiles(durationsMs) };
    });
  }

  async #sample(): Promise<void> {
    const counts = readCounters(await this.#options.metrics());
    const isFirst = this.#counts === undefined;
    const before = this.#counts ?? counts;
    this.#counts = counts;
    const nowMs = this.#options.now();
    const present = this.#bucket(minuteOf(nowMs));
    present.relayed += counts.relayed - before.relayed;
    present.failed += counts.failed - before.failed;
    for (const record of this.#options.recent()) this.#take(record, { counts: isFirst });
    const oldest = minuteOf(nowMs) - keptMinutes;
    for (const minute of this.#buckets.keys()) {
      if (minute <= oldest) this.#buckets.delete(minute);
    }
  }

  /** Before the first sample the records are all there is to count; later the counters know better. */
  #take(record: EndedTransaction, { counts }: { readonly counts: boolean }): void {
    if (this.#seen.has(record)) return;
    this.#seen.add(record);
    const kind = kindOf(record.outcome);
    if (kind === undefined) return;
    const bucket = this.#bucket(minuteOf(record.endedAtMs));
    if (counts) bucket[kind]++;
    if (kind === "relayed" && bucket.durationsMs.length < durationsPerMinute) {
      bucket.durationsMs.push(record.durationMs);
    }
  }

  #bucket(minute: number): Bucket {
    const bucket = this.#buckets.get(minute) ?? { relayed: 0, failed: 0, durationsMs: [] };
    this.#buckets.set(minute, bucket);
    return bucket;
  }
}

function minuteOf(atMs: number): number {
  return Math.floor(atMs / minuteMs);
}

function kindOf(outcome: string): keyof Counts | undefined {
  switch (outcome) {
    case "relayed":
    case "dry-run":
      return "relayed";
    case "deferred":
    case "rejected":
      return "failed";
    default:
      return undefined;
  }
}

function readCounters(text: string): Counts {
  const counts = { relayed: 0, failed: 0 };
  for (
    const [, outcome = "", value] of text.matchAll(/^\w+_transactions_total\{outcome="([^"]*)"\} (\d+)/gm)
  ) {
    const kind = kindOf(outcome);
    if (kind) counts[kind] += Number(value);
  }
  return counts;
}

function percentiles(durationsMs: readonly number[]): { medianMs?: number; p95Ms?: number } {
  if (durationsMs.length === 0) return {};
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { medianMs: at(0.5), p95Ms: at(0.95) };
}
