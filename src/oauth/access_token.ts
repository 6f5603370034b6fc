/** A bearer token (RFC 6750) with the instant at which it stops being one. */
export interface AccessToken {
  /** The secret itself: never in a log, an error or a metric. */
  readonly value: string;
  /** Milliseconds since the epoch, counted from before the request was sent, so that it errs on the early side. */
  readonly expiresAtMs: number;
}

/** What a token endpoint gave for a grant (RFC 6749 §5.1). */
export interface GrantedTokens {
  readonly accessToken: AccessToken;
  /** Present when the endpoint issued one; after a refresh it takes the old one's place (RFC 6749 §6). */
  readonly refreshToken?: string;
  /** Scope as granted, where the endpoint says it. */
  readonly scope?: string;
}
