import type { Logger } from "@logtape/logtape";
import type { Account } from "../accounts/account.ts";
import type { RetrySettings } from "../config/settings.ts";
import { abortable } from "../waiting/abortable.ts";
import type { GrantedTokens } from "./access_token.ts";
import { askWithNewest } from "./ask_with_newest.ts";
import { EndpointClient } from "./endpoint_client.ts";
import { EndpointGuard } from "./endpoint_guard.ts";
import { obtainToken } from "./obtain_token.ts";
import { GrantTurns } from "./grant_turns.ts";
import { type Schedule, scheduleTimer } from "./refresh_schedule.ts";
import { refreshTokenOf } from "./rotated_refresh_token.ts";
import { TokenManager, type TokenManagerContext } from "./token_manager.ts";
import type { Fetch } from "./token_request.ts";
import type { RefreshOutcome } from "./token_state.ts";

/** What the token service is made of. */
export interface TokenServiceOptions {
  /** Time budget of one token request, retries included, in milliseconds (`oauth2_timeout`). */
  readonly tokenTimeoutMs: number;
  /** Puts a rotated refresh token on disk in place of `account.refreshToken`. */
  readonly persist: (account: Account, refreshToken: string) => Promise<void>;
  /**
   * Finds the refresh token that another process has put on disk in place of `account.refreshToken`, so that an account is
   * not given up which has a valid one; default: there is none.
   */
  readonly findSuccessor?: (account: Account) => Promise<string | undefined>;
  readonly log: Logger;
  /** Stands in for the platform's fetch. */
  readonly fetch?: Fetch;
  /** Wall clock in milliseconds; default `Date.now`. */
  readonly now?: () => number;
  /** From 0 to below 1; default `Math.random`. */
  readonly random?: () => number;
  readonly schedule?: Schedule;
  /** Token requests under way at a time to one endpoint; default 50. */
  readonly maxConcurrentRequests?: number;
  readonly onRefresh?: (outcome: RefreshOutcome) => void;
}

/** How a request beside an account's manager is made. */
export interface ProbeOptions {
  /** Puts a rotated refresh token on disk in place of `account.refreshToken`. */
  readonly keep: (account: Account, refreshToken: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What a probe brought. */
export interface ProbedTokens extends GrantedTokens {
  /** The account with the grant that was asked with. */
  readonly account: Account;
  /** A refresh token came in place of the account's own, and was kept. */
  readonly isRotated: boolean;
}

/** A stop waits so long for answers that may bring the only refresh token that is still valid. */
const STOP_GRACE_MS = 500;

/** Token managers of all accounts, with what they share: connections, and a guard for each token endpoint. */
export class TokenService implements AsyncDisposable {
  readonly #options: TokenServiceOptions;
  readonly #context: TokenManagerContext;
  readonly #client = new EndpointClient();
  readonly #managers = new Map<string, TokenManager>();
  readonly #turns = new GrantTurns();
  #isClosing = false;
  readonly #guards = new Map<string, EndpointGuard>();
  /** Those under way, resolved when they have ended, whatever came of them. */
  readonly #probes = new Set<Promise<unknown>>();
  /** What is still ending for accounts that were removed or renamed. */
  readonly #closing = new Set<Promise<void>>();
  #tokenTimeoutMs: number;

  constructor(options: TokenServiceOptions) {
    this.#options = options;
    this.#tokenTimeoutMs = options.tokenTimeoutMs;
    this.#context = {
      obtain: (account, signal) => this.#request(account, { signal, retry: account.provider.retry }),
      persist: options.persist,
      findSuccessor: options.findSuccessor ?? (() => Promise.resolve(undefined)),
      turns: this.#turns,
      log: options.log,
      now: options.now ?? Date.now,
      random: options.random ?? Math.random,
      schedule: options.schedule ?? scheduleTimer,
      onRefresh: options.onRefresh,
    };
  }

  /** The account's manager, made at first use. A known account keeps the settings of the last `replace`. */
  for(account: Account): TokenManager {
    const key = account.email.toLowerCase();
    let manager = this.#managers.get(key);
    if (manager === undefined) {
      manager = new TokenManager(account, this.#context);
      this.#managers.set(key, manager);
    }
    return manager;
  }

  /** The manager of a mailbox that has been asked for a token; for status. */
  find(email: string): TokenManager | undefined {
    return this.#managers.get(email.toLowerCase());
  }

  /**
   * Takes over the accounts of a reload or an edit: changed ones get their new settings, missing ones are closed. An account
   * that has another e-mail but the refresh token of a missing one gets its manager: what is under way for it may bring the
   * only refresh token that is still valid.
   */
  replace(accounts: Iterable<Account>, options?: { readonly tokenTimeoutMs: number }): void {
    if (options !== undefined) this.#tokenTimeoutMs = options.tokenTimeoutMs;
    const kept = new Map([...accounts].map((account) => [account.email.toLowerCase(), account] as const));
    const missing: TokenManager[] = [];
    for (const [key, manager] of this.#managers) {
      const account = kept.get(key);
      if (account === undefined) missing.push(manager);
      else manager.replaceAccount(account);
    }
    if (missing.length === 0) return;
    const unmanaged = [...kept.values()].filter(({ email }) => this.find(email) === undefined);
    const byToken = new Map(unmanaged.map((account) => [account.refreshToken, account]));
    for (const manager of missing) {
      this.#managers.delete(manager.account.email.toLowerCase());
      const account = manager.refreshTokens.map((token) => byToken.get(token)).find(Boolean);
      if (account === undefined) this.#end(manager.close());
      else this.#rename(manager, account);
      byToken.delete(account?.refreshToken);
    }
  }

  /** Lets accounts that were refused ask again: what was wrong at the provider, or in a file, may have been mended. */
  retryRefused(): void {
    for (const manager of this.#managers.values()) {
      if (manager.state.state === "needs_authorization") manager.retry();
    }
  }

  #rename(manager: TokenManager, account: Account): void {
    this.#turns.rename(manager.account.email, account.email);
    this.#managers.set(account.email.toLowerCase(), manager);
    manager.replaceAccount(account);
  }

  #end(ending: Promise<void>): void {
    const closing: Promise<void> = ending.finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /**
   * Obtains tokens for an account apart from its manager, to verify it: one try, nothing kept but a rotated refresh token.
   * It waits for its turn among those who ask for the account.
   *
   * @param present Gives the account as it is when its turn has come.
   * @throws {TokenError} A rotated refresh token in it has been kept.
   * @throws The signal's reason when it aborts, or an `AbortError` after `close`, or what `keep` throws.
   */
  probe(present: () => Account, options: ProbeOptions): Promise<ProbedTokens> {
    const probing = this.#probe(present, options);
    const ended: Promise<unknown> = Promise.allSettled([probing]).finally(() => this.#probes.delete(ended));
    this.#probes.add(ended);
    return probing;
  }

  async #probe(present: () => Account, { keep, signal }: ProbeOptions): Promise<ProbedTokens> {
    const probed = await this.#turns.run(present().email, signal, async (isCurrent) => {
      // Nobody would wait for the answer, which may bring the only refresh token that is still valid.
      if (this.#isClosing) throw new DOMException("The daemon is stopping", "AbortError");
      // It stays the account's when that gets another e-mail.
      const before = this.find(present().email);
      const { account, outcome } = await askWithNewest({
        present,
        obtain: (account) =>
          this.#request(account, { signal, retry: { ...account.provider.retry, maxAttempts: 1 } }),
        renew: async (account) => {
          if (!isCurrent()) return false;
          await (this.find(account.email)?.renew(account) ?? this.#context.findSuccessor(account));
          return isCurrent() && present().refreshToken !== account.refreshToken;
        },
      });
      const refreshToken = refreshTokenOf(outcome);
      const isRotated = refreshToken !== undefined && refreshToken !== account.refreshToken;
      if (isRotated) {
        // In memory first: it may be the only one that is still valid, and the disk may be full.
        const manager = this.find(account.email) ?? before;
        manager?.noteRotation(account, refreshToken);
        try {
          await keep(account, refreshToken);
        } catch (error) {
          manager?.saveLater();
          throw error;
        }
        manager?.noteSaved(refreshToken);
      }
      if (outcome.status === "fulfilled") return { ...outcome.value, account, isRotated };
      if (isCurrent()) throw outcome.reason;
      return undefined;
    });
    // A grant was entered while one that is of no use any more was asked with: behind those who ask with the new one.
    return probed ?? await this.#probe(present, { keep, signal });
  }

  #request(account: Account, options: { signal: AbortSignal; retry: RetrySettings }): Promise<GrantedTokens> {
    const { fetch = this.#client.fetchFor(account.provider), now = Date.now } = this.#options;
    return this.#guardFor(account).run(
      (signal) => obtainToken(account, { signal, fetch, now }),
      { ...options, account: account.email, timeoutMs: this.#tokenTimeoutMs },
    );
  }

  /** Accounts with circuit breaker settings of their own have a breaker of their own. */
  #guardFor({ provider: { tokenUrl, circuitBreaker } }: Account): EndpointGuard {
    const key = JSON.stringify([tokenUrl, circuitBreaker]);
    let guard = this.#guards.get(key);
    if (guard === undefined) {
      const maxConcurrentRequests = this.#options.maxConcurrentRequests ?? 50;
      guard = new EndpointGuard({ circuitBreaker, maxConcurrentRequests });
      this.#guards.set(key, guard);
    }
    return guard;
  }

  /**
   * Ends all refreshes: those under way, and probes, have half a second for their answer, and rotated tokens that have come are
   * written.
   *
   * @param signal Ends the wait for those.
   */
  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosing = true;
    await this.#grace(signal);
    const isBusy = this.#closing.size > 0 ||
      [...this.#managers.values()].some(({ isBusy }) => isBusy);
    const closing = [...this.#closing, ...[...this.#managers.values()].map((manager) => manager.close())];
    this.#managers.clear();
    const ended = Promise.allSettled(closing);
    try {
      await (signal === undefined || !isBusy ? ended : abortable(ended, signal));
    } finally {
      await this.#client.close();
    }
  }

  async #grace(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const refreshes = [...this.#managers.values()].map((manager) => {
      const ended = manager.stop();
      return manager.account.grant === "refresh_token" ? ended : undefined;
    });
    const stopped = Promise.all([...refreshes, ...this.#probes]);
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), STOP_GRACE_MS);
    const end = AbortSignal.any([signal, over.signal]);
    try {
      await abortable(stopped, end);
    } catch (error) {
      if (error !== end.reason) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** As `close`, without a limit. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
