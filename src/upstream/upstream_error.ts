/** What can keep a transaction from its provider. Each class is one decision for whoever answers the client. */

import type { Reply } from "../smtp/reply.ts";

/** How far a connection came before it failed. */
export type DialPhase = "connect" | "tls" | "greeting" | "ehlo" | "starttls" | "auth";

/** No usable connection came about. */
export class DialError extends Error {
  override readonly name = "DialError";
  readonly code = "DIAL";
  /** The provider's own words, where it spoke. */
  readonly reply?: Reply;
  /** `status` of the SASL error challenge (Google, RFC 7628 §3.2.2), where there was one. */
  readonly challengeStatus?: string;

  constructor(
    readonly phase: DialPhase,
    reason: string,
    { reply, challengeStatus, ...options }: ErrorOptions & { reply?: Reply; challengeStatus?: string } = {},
  ) {
    super(`Cannot connect to the provider (${phase}): ${reason}`, options);
    if (reply !== undefined) this.reply = reply;
    if (challengeStatus !== undefined) this.challengeStatus = challengeStatus;
  }
}

/** A connection that was in use is gone: reset, closed, silent past its deadline, or talking nonsense. */
export class UpstreamLostError extends Error {
  override readonly name = "UpstreamLostError";
  readonly code = "UPSTREAM_LOST";
  /** @param during The command, or `mail data`, or `the reply to mail data`. */
  constructor(readonly during: string, reason: string, options?: ErrorOptions) {
    super(`Cannot complete ${during}: ${reason}`, options);
  }
}

/** The pool is closing. */
export class PoolClosedError extends Error {
  override readonly name = "PoolClosedError";
  readonly code = "POOL_CLOSED";
  constructor() {
    super("Cannot use the pool: it is closed");
  }
}

/** All connections stayed busy, or too many transactions are waiting for one already. */
export class PoolBusyError extends Error {
  override readonly name = "PoolBusyError";
  readonly code = "POOL_BUSY";
  constructor(reason: string) {
    super(`Cannot get a connection: ${reason}`);
  }
}

/** The provider asked for less; the account waits. */
export class ThrottledError extends Error {
  override readonly name = "ThrottledError";
  readonly code = "THROTTLED";
  /** @param retryAfterMs How long the account still waits. */
  constructor(readonly retryAfterMs: number, readonly reason: string) {
    super(`Cannot send now: ${reason}; next try in ${Math.ceil(retryAfterMs / 1000)} s`);
  }
}

/** A limit of the mailbox that is counted here is reached. */
export class RateLimitError extends Error {
  override readonly name = "RateLimitError";
  readonly code = "RATE_LIMIT";
  constructor(readonly retryAfterMs: number, limit: string) {
    super(`Cannot send now: ${limit} reached; next in ${Math.ceil(retryAfterMs / 1000)} s`);
  }
}

/** The provider's host kept failing and is left alone for a while. */
export class CircuitOpenError extends Error {
  override readonly name = "CircuitOpenError";
  readonly code = "CIRCUIT_OPEN";
  constructor(host: string) {
    super(`Cannot connect to the provider: ${host} kept failing, the circuit is open`);
  }
}

/** Everything that `MailboxPool.acquire` and a leased connection throw. */
export type UpstreamError =
  | DialError
  | UpstreamLostError
  | PoolClosedError
  | PoolBusyError
  | ThrottledError
  | RateLimitError
  | CircuitOpenError;
