/** One line of the bench's table, and what is asked of it (DESIGN's figures). */

/** What a figure has to reach; a figure without any target is shown for its own sake. */
export interface Target {
  /** Of the proxy's median. */
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Of the proxy's value over the direct one, the median of the rounds. */
  readonly ratioAtLeast?: number;
  /** Of the proxy's value minus the direct one, the median of the rounds. */
  readonly addsAtMost?: number;
}

/** Measurements of one thing, one value a round. */
export interface Figure {
  /** Row of the bench that it belongs to. */
  readonly row: string;
  readonly what: string;
  readonly unit: string;
  /** The same client straight to the sink. */
  readonly direct?: readonly number[];
  /** The same client through a relay without features (`sketch.ts`). */
  readonly sketch?: readonly number[];
  readonly proxy: readonly number[];
  readonly target?: Target;
  /** What the reader should know; what went wrong. */
  readonly notes: readonly string[];
  /** Something went wrong that makes the figure void, whatever its value. */
  readonly failed: boolean;
}

/** A figure's summary. */
export interface Judgement {
  readonly median: number;
  /** Median of the rounds' proxy over direct. */
  readonly ratio: number | undefined;
  /** Median of the rounds' proxy minus direct. */
  readonly adds: number | undefined;
  /** Undefined without a target. */
  readonly reached: boolean | undefined;
}

/** Weighs a figure against its target. */
export function judge({ direct, proxy, target, failed }: Figure): Judgement {
  const value = median(proxy);
  const ratio = direct && median(proxy.map((one, round) => one / direct[round]!));
  const adds = direct && median(proxy.map((one, round) => one - direct[round]!));
  if (!target) return { median: value, ratio, adds, reached: failed ? false : undefined };
  const reached = !failed && proxy.length > 0 &&
    (target.atLeast === undefined || value >= target.atLeast) &&
    (target.atMost === undefined || value <= target.atMost) &&
    (target.ratioAtLeast === undefined || (ratio ?? 0) >= target.ratioAtLeast) &&
    (target.addsAtMost === undefined || (adds ?? Infinity) <= target.addsAtMost);
  return { median: value, ratio, adds, reached };
}

/** @returns The middle value, or the mean of the two in the middle; NaN without any. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
