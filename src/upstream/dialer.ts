/** Opens connections for the pools: token, dial, one more try when a token is refused, a circuit breaker per host. */

import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
} from "cockatiel";
import type { Logger } from "@logtape/logtape";
import type { ProviderSettings } from "../config/settings.ts";
import { abortable } from "../waiting/abortable.ts";
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
  /** Resolves when connections may be opened; until then dials wait. Default: they may. */
  readonly mayDial?: Promise<void>;
  /** Told how each attempt ended, for metrics. */
  readonly onOutcome?: (outcome: "connected" | DialPhase) => void;
  /** Hears of circuits that open and close, and of tokens that were refused and fetched anew. */
  readonly log?: Logger;
}

/** Shared by all pools, since accounts share hosts. */
export class Dialer {
  readonly #options: DialerOptions;
  /** By end point and settings, since accounts may override these. */
  readonly #breakers = new Map<string, { readonly host: string; readonly policy: CircuitBreakerPolicy }>();
  /** Service extensions by end point, as last seen after sign-in. */
  readonly #extensions = new Map<string, readonly string[]>();

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** End points whose circuit is open, or being tried again, for status. */
  get openCircuits(): string[] {
    const open = [...this.#breakers.values()].filter(({ policy }) => policy.state !== CircuitState.Closed);
    return [...new Set(open.map(({ host }) => host))];
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
    const { mayDial } = this.#options;
    if (mayDial) await abortable(mayDial, signal);
    const token = await mailbox.tokens.get(signal);
    try {
      return await this.#connect(mailbox, token, { signal, onPhase });
    } catch (error) {
      if (!isTokenRefused(error)) throw error;
      this.#options.log?.info("Access token of {account} was refused, fetching another: {error}", {
        account: mailbox.email,
        error: error instanceof Error ? error.message : error,
      });
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
    const { onOutcome, log: _log, mayDial: _mayDial, ...options } = this.#options;
    const target = { endpoint: provider.smtpEndpoint, security: provider.smtpSecurity, caCerts };
    let opened: UpstreamConnection | undefined;
    let isGivenUp = false;
    const attempt = async () => {
      opened = await dial(target, {
        ...options,
        signIn: { user: saslUser, accessToken: token.value },
        signal,
        ...(onPhase && { onPhase }),
      });
      if (isGivenUp) opened.close();
      return opened;
    };
    try {
      const breaker = this.#breaker(provider);
      // The breaker knows no signal while it lets others wait for its trial.
      const connection = await (breaker ? abortable(breaker.execute(attempt), signal) : attempt());
      this.#extensions.set(hostOf(provider), connection.extensions.keywords);
      onOutcome?.("connected");
      return connection;
    } catch (error) {
      // An abort may come between the end of the dial and the wait for it: nobody gets the connection then.
      isGivenUp = true;
      opened?.close();
      if (error instanceof BrokenCircuitError) throw new CircuitOpenError(hostOf(provider));
      if (error instanceof DialError) onOutcome?.(error.phase);
      throw error;
    }
  }

  #breaker(provider: ProviderSettings): CircuitBreakerPolicy | undefined {
    const { enabled, failureThreshold, recoveryTimeoutMs } = provider.circuitBreaker;
    if (!enabled) return undefined;
    const host = hostOf(provider);
    const key = `${host} ${failureThreshold} ${recoveryTimeoutMs}`;
    const known = this.#breakers.get(key);
    if (known) return known.policy;
    const policy: CircuitBreakerPolicy = circuitBreaker(
      // A trial that was cancelled has shown nothing, and must not close the circuit.
      handleWhen((error) =>
        isHostFailure(error) || (policy.state === CircuitState.HalfOpen && !isSignOfLife(error))
      ),
      { halfOpenAfter: recoveryTimeoutMs, breaker: new ConsecutiveBreaker(failureThreshold) },
    );
    this.#breakers.set(key, { host, policy });
    this.#logChanges(host, { policy, recoveryTimeoutMs });
    return policy;
  }

  #logChanges(
    host: string,
    { policy, recoveryTimeoutMs }: { policy: CircuitBreakerPolicy; recoveryTimeoutMs: number },
  ): void {
    const { log } = this.#options;
    policy.onBreak(() =>
      log?.warn("Circuit of {host} is open: it kept failing, next try in {seconds} s", {
        host,
        seconds: Math.ceil(recoveryTimeoutMs / 1000),
      })
    );
    policy.onReset(() => log?.info("Circuit of {host} is closed: it can be reached again", { host }));
  }
}

function hostOf({ smtpEndpoint: { hostname, port } }: ProviderSettings): string {
  return `${hostname}:${port}`;
}

/** What speaks against the host, not against one account: no connection, no TLS, no greeting. */
function isHostFailure(error: unknown): boolean {
  return error instanceof DialError && error.phase !== "auth" && error.reply === undefined;
}

/** A host that answers lives, whatever it says. */
function isSignOfLife(error: unknown): boolean {
  return error instanceof DialError && !isHostFailure(error);
}

function isTokenRefused(error: unknown): boolean {
  if (!(error instanceof DialError) || error.phase !== "auth" || error.reply === undefined) return false;
  const { cause } = diagnose(error.reply);
  return cause === "sign-in-refused" || cause === "token-expires-soon";
}
