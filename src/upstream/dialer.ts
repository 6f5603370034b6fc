/** Opens connections for the pools: token, dial, one more try when a token is refused, a circuit breaker per host. */

import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
} from "cockatiel";
import type { ProviderSettings } from "../config/settings.ts";
import type { Deadlines } from "../transport/deadlines.ts";
import type { ReplyTimeouts, UpstreamConnection } from "./connection.ts";
import { diagnose } from "./diagnosis.ts";
import { dial, type PhaseTimeouts } from "./dial.ts";
import type { Mailbox, UpstreamToken } from "./mailbox.ts";
import { CircuitOpenError, DialError, type DialPhase } from "./upstream_error.ts";

export interface DialerOptions {
  readonly deadlines: Deadlines;
  readonly now: () => number;
  /** Name for EHLO. */
  readonly clientName: string;
  readonly phaseTimeoutsMs?: PhaseTimeouts;
  readonly replyTimeouts?: ReplyTimeouts;
  /** Told how each attempt ended, for metrics. */
  readonly onOutcome?: (outcome: "connected" | DialPhase) => void;
}

/** Shared by all pools, since accounts share hosts. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #breakers = new Map<string, CircuitBreakerPolicy>();
  /** Service extensions by end point, as last seen after sign-in. */
  readonly #extensions = new Map<string, readonly string[]>();

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** End points whose circuit is open, for status. */
  get openCircuits(): string[] {
    return [...this.#breakers].filter(([, breaker]) => breaker.state === CircuitState.Open).map(([host]) =>
      host
    );
  }

  /** What the provider offers, as last seen, else as its preset says; `undefined` when nobody knows. */
  extensionsOf(provider: ProviderSettings): readonly string[] | undefined {
    const seen = this.#extensions.get(hostOf(provider));
    return seen ?? (provider.knownExtensions.length > 0 ? provider.knownExtensions : undefined);
  }

  /**
   * Opens a signed-in connection. A refused token is dropped, fetched anew once and tried once more.
   *
   * @throws {DialError | CircuitOpenError} or the token source's error, or the signal's reason.
   */
  async dial(
    mailbox: Mailbox,
    signal: AbortSignal,
    onPhase?: (phase: DialPhase) => void,
  ): Promise<UpstreamConnection> {
    const token = await mailbox.tokens.get(signal);
    try {
      return await this.#connect(mailbox, token, { signal, onPhase });
    } catch (error) {
      if (!isTokenRefused(error)) throw error;
      mailbox.tokens.invalidate(token);
      return await this.#connect(mailbox, await mailbox.tokens.get(signal), { signal, onPhase });
    }
  }

  async #connect(
    mailbox: Mailbox,
    token: UpstreamToken,
    { signal, onPhase }: { signal: AbortSignal; onPhase: ((phase: DialPhase) => void) | undefined },
  ): Promise<UpstreamConnection> {
    const { provider, caCerts, saslUser } = mailbox;
    const { onOutcome, ...options } = this.#options;
    const target = { endpoint: provider.smtpEndpoint, security: provider.smtpSecurity, caCerts };
    const attempt = () =>
      dial(target, {
        ...options,
        signIn: { user: saslUser, accessToken: token.value },
        signal,
        ...(onPhase && { onPhase }),
      });
    try {
      const connection = await (this.#breaker(provider)?.execute(attempt) ?? attempt());
      this.#extensions.set(hostOf(provider), connection.extensions.keywords);
      onOutcome?.("connected");
      return connection;
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw new CircuitOpenError(hostOf(provider));
      if (error instanceof DialError) onOutcome?.(error.phase);
      throw error;
    }
  }

  #breaker(provider: ProviderSettings): CircuitBreakerPolicy | undefined {
    const { enabled, failureThreshold, recoveryTimeoutMs } = provider.circuitBreaker;
    if (!enabled) return undefined;
    const host = hostOf(provider);
    let breaker = this.#breakers.get(host);
    if (!breaker) {
      breaker = circuitBreaker(handleWhen(isHostFailure), {
        halfOpenAfter: recoveryTimeoutMs,
        breaker: new ConsecutiveBreaker(failureThreshold),
      });
      this.#breakers.set(host, breaker);
    }
    return breaker;
  }
}

function hostOf({ smtpEndpoint: { hostname, port } }: ProviderSettings): string {
  return `${hostname}:${port}`;
}

/** What speaks against the host, not against one account: no connection, no TLS, no greeting. A reply is a sign of life. */
function isHostFailure(error: unknown): boolean {
  return error instanceof DialError && error.phase !== "auth" && error.reply === undefined;
}

function isTokenRefused(error: unknown): boolean {
  if (!(error instanceof DialError) || error.phase !== "auth" || error.reply === undefined) return false;
  const { cause } = diagnose(error.reply);
  return cause === "sign-in-refused" || cause === "token-expires-soon";
}
