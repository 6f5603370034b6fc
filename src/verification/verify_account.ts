/** Tries what sending needs, one thing after the other: an access token, then a sign-in at the provider's mail server. */

import type { Account } from "../accounts/account.ts";
import type { ProbedTokens } from "../oauth/token_service.ts";
import type { Dialer } from "../upstream/dialer.ts";
import type { Mailbox, TokenSource } from "../upstream/mailbox.ts";
import { readScope } from "./scope_reading.ts";
import type { Verification, VerificationStep, VerificationStepName } from "./verification.ts";
import { type FailureContext, failureOf } from "./verification_failure.ts";

/** What asking for a token needs. */
export interface VerifyGrantOptions {
  /** One token request apart from the account's token manager, which keeps a rotated refresh token. */
  readonly probe: (signal: AbortSignal) => Promise<ProbedTokens>;
  readonly signal: AbortSignal;
  /** Milliseconds on any clock. */
  readonly now: () => number;
}

/** What signing in needs beside that. */
export interface VerifyAccountOptions extends VerifyGrantOptions {
  readonly dialer: Pick<Dialer, "dial">;
  /** Runs what connects, as soon as the provider's limit of connections has room for it. Default: at once. */
  readonly withPlace?: WithPlace;
  /** The account's; its own tokens are not used. */
  readonly mailbox: Omit<Mailbox, "tokens">;
}

/** @throws {PoolBusyError} If there is no room in time. */
export type WithPlace = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** However the server takes leave, the verification is over. */
const quitTimeoutMs = 500;

/**
 * Verifies that the provider gives a token for the account.
 *
 * @throws The signal's reason when it aborts, or why a rotated refresh token could not be kept.
 */
export async function verifyGrant(account: Account, options: VerifyGrantOptions): Promise<Verification> {
  const attempt = new Attempt(options.now);
  await attempt.obtainToken(account, options);
  return attempt.verification;
}

/**
 * Verifies that the account can sign in to send.
 *
 * @throws As `verifyGrant`.
 */
export async function verifyAccount(account: Account, options: VerifyAccountOptions): Promise<Verification> {
  const attempt = new Attempt(options.now);
  const tokens = await attempt.obtainToken(account, options);
  if (tokens) await attempt.signIn(account, { ...options, tokens });
  return attempt.verification;
}

class Attempt {
  readonly #now: () => number;
  #steps: VerificationStep[] = [];
  #failure: Verification["failure"];
  #stepStartedMs: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#stepStartedMs = now();
  }

  get verification(): Verification {
    const steps = this.#steps;
    return this.#failure ? { ok: false, steps, failure: this.#failure } : { ok: true, steps };
  }

  async obtainToken(account: Account, options: VerifyGrantOptions): Promise<ProbedTokens | undefined> {
    const { probe, signal, now } = options;
    try {
      const tokens = await probe(signal);
      const minutes = Math.round((tokens.accessToken.expiresAtMs - now()) / 60_000);
      const rotation = tokens.isRotated ? "; refresh token rotated and kept" : "";
      this.#passed("token", `access token for ${minutes} minutes${rotation}`);
      return tokens;
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(error, { account });
      return undefined;
    }
  }

  async signIn(
    account: Account,
    { tokens, mailbox, dialer, withPlace = (work) => work(), signal }: VerifyAccountOptions & {
      readonly tokens: ProbedTokens;
    },
  ): Promise<void> {
    const scope = readScope(tokens, account);
    this.#passed("scope", scope.detail);
    const before = this.#steps;
    // The dialer tries once more after a refused token; only the last try is told.
    const source: TokenSource = {
      get: () => Promise.resolve(tokens.accessToken),
      invalidate: () => {
        this.#steps = [...before];
      },
    };
    const { hostname, port } = mailbox.provider.smtpEndpoint;
    try {
      await withPlace(async () => {
        const connection = await dialer.dial({ ...mailbox, tokens: source }, signal, (phase) => {
          this.#passed(phase, phase === "connect" ? `${hostname}:${port}` : phaseDetails[phase]);
        });
        await connection.quit(quitTimeoutMs);
      }, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(error, { account, scopeRemedy: scope.remedy });
    }
  }

  #passed(name: VerificationStepName, detail: string): void {
    this.#add({ name, ok: true, detail });
  }

  #failed(error: unknown, context: FailureContext): void {
    this.#failure = failureOf(error, context);
    this.#add({ name: this.#failure.step, ok: false, detail: this.#failure.cause });
  }

  #add(step: Omit<VerificationStep, "ms">): void {
    const nowMs = this.#now();
    this.#steps = [...this.#steps, { ...step, ms: Math.round(nowMs - this.#stepStartedMs) }];
    this.#stepStartedMs = nowMs;
  }
}

const phaseDetails = {
  tls: "certificate and host name verified",
  greeting: "the server greeted",
  ehlo: "the server told its extensions",
  starttls: "the server is ready for TLS",
  auth: "signed in",
} as const;
