/** What gauges show, asked for when somebody reads them. */

/** One account's connections and waiting transactions. */
export interface PoolCounts {
  readonly account: string;
  readonly idle: number;
  readonly busy: number;
  readonly dialing: number;
  /** Transactions that wait for a connection. */
  readonly waiting: number;
}

/** The program at one moment. */
export interface MetricsSnapshot {
  /** Accounts that have a pool. */
  readonly pools: Iterable<PoolCounts>;
  /** Number of accounts by the state of their token (`valid`, `needs_authorization`, …). */
  readonly accountStates: ReadonlyMap<string, number>;
}

/** Nothing yet. */
export const emptySnapshot: MetricsSnapshot = { pools: [], accountStates: new Map() };
