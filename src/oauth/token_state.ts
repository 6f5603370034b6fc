/** How an account's token stands, for status page, API and metrics. No secret in it. */
export interface TokenState {
  /**
   * `unknown`: never asked for; `valid`: can be used now; `refreshing`: none to use, a request is under way;
   * `needs_authorization`: the provider refused the grant; `failing`: none to use, and the last request failed.
   */
  readonly state: "unknown" | "valid" | "refreshing" | "needs_authorization" | "failing";
  /** Milliseconds since the epoch. */
  readonly expiresAtMs?: number;
  /** Why the last request failed; also while an older token can still be used. */
  readonly lastError?: string;
  /** What an operator can do about it. */
  readonly remedy?: string;
}

/** How one refresh ended, for metrics. */
export interface RefreshOutcome {
  readonly email: string;
  readonly outcome: "refreshed" | "failed" | "needs_authorization";
  readonly durationMs: number;
}
