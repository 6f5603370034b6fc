/**
 * What a caller does about a missing token: `NEEDS_AUTHORIZATION` waits for an operator, `TOKEN_UNAVAILABLE` passes by
 * itself.
 */
export type TokenErrorCode = "NEEDS_AUTHORIZATION" | "TOKEN_UNAVAILABLE";

/** What is known of a failed token request. Nothing here is secret; `error_description` is left out for that reason. */
export interface TokenErrorDetails {
  /** What the operator can do, one sentence. */
  readonly remedy: string;
  /** `error` of RFC 6749 §5.2. */
  readonly error?: string | undefined;
  /** Microsoft's AADSTS numbers. */
  readonly errorCodes?: readonly number[] | undefined;
  /** HTTP status of the answer. */
  readonly status?: number | undefined;
  /** Microsoft's identifiers for a support case. */
  readonly correlationId?: string | undefined;
  readonly traceId?: string | undefined;
  /** No request before so many milliseconds have passed (Retry-After, RFC 9110 §10.2.3). */
  readonly retryAfterMs?: number | undefined;
  /** The endpoint works and asks to slow down. */
  readonly throttled?: boolean | undefined;
  /** Nothing was asked: something is wrong on this machine, and the endpoint has no part in it. */
  readonly isLocal?: boolean | undefined;
}

/** An access token that could not be had. The message names the cause, `remedy` what to do; neither holds a secret. */
export class TokenError extends Error {
  override readonly name = "TokenError";
  readonly code: TokenErrorCode;
  readonly remedy: string;
  readonly error: string | undefined;
  readonly errorCodes: readonly number[];
  readonly status: number | undefined;
  readonly correlationId: string | undefined;
  readonly traceId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly throttled: boolean;
  readonly isLocal: boolean;
  #refreshToken: string | undefined;

  /** @param cause What happened, to follow "Cannot obtain an access token: ". */
  constructor(code: TokenErrorCode, cause: string, details: TokenErrorDetails & ErrorOptions) {
    super(
      `Cannot obtain an access token: ${cause}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.remedy = details.remedy;
    this.error = details.error;
    this.errorCodes = details.errorCodes ?? [];
    this.status = details.status;
    this.correlationId = details.correlationId;
    this.traceId = details.traceId;
    this.retryAfterMs = details.retryAfterMs;
    this.throttled = details.throttled ?? false;
    this.isLocal = details.isLocal ?? false;
  }

  /**
   * The rotated refresh token that came with an answer of no other use: the one that was sent is spent. No property of
   * the object, so that nothing that prints the error shows it.
   */
  get refreshToken(): string | undefined {
    return this.#refreshToken;
  }

  /** Puts a rotated refresh token with the error. */
  withRefreshToken(refreshToken: string): this {
    this.#refreshToken = refreshToken;
    return this;
  }
}
