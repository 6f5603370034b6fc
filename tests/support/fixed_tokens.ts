/** A token source without OAuth: hands out what it is told to. */

import type { TokenSource, UpstreamToken } from "../../src/upstream/mailbox.ts";

/** Tokens `token-1`, `token-2`, …: another one after each `invalidate`. Set `failure` to have `get` reject. */
export class FixedTokens implements TokenSource {
  /** What `get` rejects with, while it is set. */
  failure: Error | undefined;
  /** Calls of `get`. */
  requests = 0;
  /** Tokens that were refused upstream. */
  readonly invalidated: string[] = [];

  /** The token that `get` resolves to now. */
  get value(): string {
    return `token-${this.invalidated.length + 1}`;
  }

  get(signal: AbortSignal): Promise<UpstreamToken> {
    this.requests++;
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.failure) return Promise.reject(this.failure);
    return Promise.resolve({ value: this.value, expiresAtMs: Infinity });
  }

  invalidate(token: UpstreamToken): void {
    this.invalidated.push(token.value);
  }
}

/** What `oauth` rejects with when an operator is needed, or when the token endpoint can't be reached. */
export class TokenFailureError extends Error {
  override readonly name = "TokenFailureError";
  constructor(readonly code: "NEEDS_AUTHORIZATION" | "TOKEN_UNAVAILABLE", message: string) {
    super(message);
  }
}
