import type { Logger } from "@logtape/logtape";
import type { Account } from "../accounts/account.ts";
import { abortable } from "../waiting/abortable.ts";
import type { AccessToken, GrantedTokens } from "./access_token.ts";
import { askWithNewest } from "./ask_with_newest.ts";
import { refreshTokenOf } from "./rotated_refresh_token.ts";
import type { GrantTurns } from "./grant_turns.ts";
import { sameGrant } from "./same_grant.ts";
import { type Schedule, type TokenMargins, tokenMargins } from "./refresh_schedule.ts";
import { TokenError } from "./token_error.ts";
import type { RefreshOutcome, TokenState } from "./token_state.ts";

/** What the managers of all accounts share. */
export interface TokenManagerContext {
  /** Asks the provider for tokens, with retries and time budget. */
  readonly obtain: (account: Account, signal: AbortSignal) => Promise<GrantedTokens>;
  /** Puts a rotated refresh token on disk in place of `account.refreshToken`. */
  readonly persist: (account: Account, refreshToken: string) => Promise<void>;
  /** Finds the refresh token that another process has put on disk in place of the account's. */
  readonly findSuccessor: (account: Account) => Promise<string | undefined>;
  /** Those who ask for tokens of the same account take turns. */
  readonly turns: GrantTurns;
  readonly log: Logger;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly schedule: Schedule;
  readonly onRefresh?: ((outcome: RefreshOutcome) => void) | undefined;
}

interface Flight {
  readonly promise: Promise<AccessToken>;
  readonly controller: AbortController;
}

type HeldToken = AccessToken & TokenMargins;

/** A mailbox that has sent nothing for so long is no longer refreshed ahead; its next message waits for one refresh. */
const keptWarmMs = 24 * 3_600_000;
/**
 * An endpoint whose tokens expire at once (`expires_in` 0) is not asked without a pause, which grows to
 * `longestHoldOffMs` while nobody sends.
 */
const leastRefreshIntervalMs = 1000;
const firstHoldOffMs = 1000;
const longestHoldOffMs = 300_000;
/** Between two looks at the disk on behalf of an account whose token was refused. */
const lookPauseMs = 10_000;

/**
 * The access token of one account: one refresh at a time however many wait for it, ahead of expiry where possible.
 *
 * A passing failure is not repeated at once: until its hold-off ends, callers get the same error. After a lasting one
 * there are no more requests until the account's grant changes, here or on disk, or `retry` is called.
 */
export class TokenManager {
  readonly #context: TokenManagerContext;
  #account: Account;
  /** Number of changes of the grant. */
  #grants = 0;
  #token: HeldToken | undefined;
  #flight: Flight | undefined;
  /** All refreshes that have not ended, those of a grant since replaced too. */
  readonly #flights = new Set<Promise<AccessToken>>();
  #failure: TokenError | undefined;
  #failures = 0;
  #holdOffUntilMs = 0;
  #lookAgainAtMs = -Infinity;
  /** The account as it was when a rotated refresh token came that could not be written yet. */
  #unsaved: Account | undefined;
  #lastUsedMs = -Infinity;
  /** Tokens in a row, since the last use, that were to be refreshed at once. */
  #hastyRefreshes = 0;
  #cancelTimer: () => void = () => {};
  #closed = false;

  constructor(account: Account, context: TokenManagerContext) {
    this.#account = account;
    this.#context = context;
  }

  /** The account as the manager knows it, with the newest refresh token. */
  get account(): Account {
    return this.#account;
  }

  /** Whether a refresh has not ended, or a rotated refresh token is still to be written. */
  get isBusy(): boolean {
    return this.#flights.size > 0 || this.#unsaved !== undefined;
  }

  /** The refresh token that the manager asks with, and the one that accounts.json may still have. */
  get refreshTokens(): readonly string[] {
    return [this.#account, this.#unsaved].flatMap((account) => account?.refreshToken ?? []);
  }

  /** How the token stands. */
  get state(): TokenState {
    const failure = this.#failure;
    const token = this.#usableToken();
    return {
      state: this.#stateName(token),
      ...(token === undefined ? {} : { expiresAtMs: token.expiresAtMs }),
      ...(failure === undefined ? {} : { lastError: failure.message, remedy: failure.remedy }),
    };
  }

  #stateName(token: HeldToken | undefined): TokenState["state"] {
    if (this.#failure?.code === "NEEDS_AUTHORIZATION") return "needs_authorization";
    if (token !== undefined) return "valid";
    if (this.#flight !== undefined) return "refreshing";
    return this.#failure === undefined ? "unknown" : "failing";
  }

  /**
   * Hands out a token that is good for some time yet. Only without one does the caller wait, for a refresh that all
   * callers share; the signal ends this caller's wait and nothing else.
   *
   * @throws {TokenError} If there is none to be had.
   * @throws The signal's reason when it aborts first.
   */
  async get(signal: AbortSignal): Promise<AccessToken> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw closedError();
      const nowMs = this.#context.now();
      this.#lastUsedMs = nowMs;
      this.#hastyRefreshes = 0;
      const token = this.#usableToken();
      if (token !== undefined) {
        if (nowMs >= token.refreshAtMs && !this.#isHeldOff()) this.#refreshAhead();
        return token;
      }
      if (this.#isHeldOff() && this.#failure !== undefined) {
        const failure = this.#failure;
        if (await abortable(this.#findsSuccessor(failure), signal)) continue;
        throw failure;
      }
      const account = this.#account;
      try {
        return await abortable(this.#refresh(), signal);
      } catch (error) {
        if (this.#closed && !signal.aborted) throw closedError();
        // A grant that was replaced meanwhile takes its waiters along.
        if (signal.aborted || sameGrant(account, this.#account)) throw error;
      }
    }
  }

  /** Drops a token that the mail server refused, unless a newer one has come; the next `get` fetches another. */
  invalidate(token: AccessToken): void {
    if (this.#token?.value !== token.value) return;
    this.#token = undefined;
    this.#cancelTimer();
  }

  /** Forgets a failure, lasting or not, so that the next `get` asks the provider again. */
  retry(): void {
    this.#failure = undefined;
    this.#failures = 0;
    this.#holdOffUntilMs = 0;
  }

  /**
   * Takes the account's new settings. A changed grant drops token, failure and the refresh under way, unless its refresh
   * token has stayed: the refresh may have brought the next one already, so it ends and another follows.
   */
  replaceAccount(account: Account): void {
    const previous = this.#account;
    const rotatedAway = account.refreshToken !== undefined &&
      account.refreshToken === this.#unsaved?.refreshToken;
    // The account store doesn't know its successor yet.
    this.#account = rotatedAway && previous.refreshToken !== undefined
      ? { ...account, refreshToken: previous.refreshToken }
      : account;
    if (sameGrant(previous, this.#account)) return;
    this.#grants++;
    this.#token = undefined;
    this.#cancelTimer();
    this.retry();
    if (previous.grant === "refresh_token" && previous.refreshToken === this.#account.refreshToken) return;
    this.#unsaved = undefined;
    this.#context.turns.forget(previous.email);
    this.#abandonFlight("The account's grant was replaced");
  }

  /**
   * Takes over a refresh token that another request for the account has brought in place of the present one. It is written
   * before the next refresh, unless `noteSaved` comes first.
   */
  noteRotation(replaced: Account, refreshToken: string): void {
    if (replaced.refreshToken === this.#account.refreshToken) this.#succeed(refreshToken);
  }

  /** Looks on disk for a refresh token in place of the one that was asked with; tells whether the manager has another now. */
  async renew(asked: Account): Promise<boolean> {
    const refreshToken = await this.#context.findSuccessor(asked);
    if (asked.refreshToken !== this.#account.refreshToken) return true;
    if (refreshToken === undefined || refreshToken === asked.refreshToken) return false;
    this.#account = { ...this.#account, refreshToken };
    this.retry();
    return true;
  }

  /** The refresh token of `noteRotation` could not be written: a refresh soon tries again before it asks. */
  saveLater(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#context.schedule(() => {
      if (!this.#closed) this.#refresh().catch(() => {});
    }, firstHoldOffMs);
  }

  /** Notes that a refresh token of `noteRotation` is on disk. */
  noteSaved(refreshToken: string): void {
    if (refreshToken === this.#account.refreshToken) this.#unsaved = undefined;
  }

  /** The present token may be worth nothing from now on. @returns The account as it was. */
  #succeed(refreshToken: string): Account {
    const previous = this.#account;
    this.#account = { ...previous, refreshToken };
    this.#unsaved = previous;
    return previous;
  }

  /** Begins no more refreshes. Resolves when none is under way; never rejects. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await Promise.allSettled(this.#flights);
  }

  /**
   * Ends the refresh under way. A rotated token that has come is written first; one that could not be written is tried once
   * more.
   *
   * @param signal Ends the wait for the write.
   */
  async close(signal?: AbortSignal): Promise<void> {
    const ended = this.stop().then(() => this.#saveAtLast());
    this.#abandonFlight("The daemon is stopping");
    await (signal === undefined ? ended : abortable(ended, signal));
  }

  #abandonFlight(reason: string): void {
    this.#flight?.controller.abort(new DOMException(reason, "AbortError"));
    this.#flight = undefined;
  }

  #usableToken(): HeldToken | undefined {
    const token = this.#token;
    return token !== undefined && this.#context.now() < token.usableUntilMs ? token : undefined;
  }

  /** Another process may have traded the refused token for the next one, as a command does; looked for at times only. */
  async #findsSuccessor({ error }: TokenError): Promise<boolean> {
    const nowMs = this.#context.now();
    if (error !== "invalid_grant" || nowMs < this.#lookAgainAtMs) return false;
    this.#lookAgainAtMs = nowMs + lookPauseMs;
    return await this.renew(this.#account);
  }

  #isHeldOff(): boolean {
    return this.#failure?.code === "NEEDS_AUTHORIZATION" || this.#context.now() < this.#holdOffUntilMs;
  }

  /** Nobody waits for this refresh: its failure is kept in `#failure`, its promise in `#flights`. */
  #refreshAhead(): void {
    if (this.#closed) return;
    if (this.#context.now() - this.#lastUsedMs < keptWarmMs) this.#refresh().catch(() => {});
  }

  #refresh(): Promise<AccessToken> {
    if (this.#flight !== undefined) return this.#flight.promise;
    const controller = new AbortController();
    const promise = this.#fetchToken(controller.signal).finally(() => {
      this.#flights.delete(promise);
      if (this.#flight?.controller === controller) this.#flight = undefined;
    });
    this.#flight = { promise, controller };
    this.#flights.add(promise);
    return promise;
  }

  async #fetchToken(signal: AbortSignal): Promise<AccessToken> {
    const startedMs = this.#context.now();
    const { email } = this.#account;
    try {
      if (this.#unsaved !== undefined) await this.#save(this.#unsaved, signal);
      const accessToken = await this.#obtain(signal);
      this.#adopt(accessToken);
      this.#context.onRefresh?.({ email, outcome: "refreshed", durationMs: this.#context.now() - startedMs });
      return accessToken;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const failure = asTokenError(error);
      this.#fail(failure, startedMs);
      throw failure;
    }
  }

  /** Asks again when the grant changed under way: all that the old one brought is a rotated refresh token. */
  async #obtain(signal: AbortSignal): Promise<AccessToken> {
    for (;;) {
      const { turns, obtain } = this.#context;
      const { outcome, grant } = await turns.run(this.#account.email, signal, async () => {
        const grant = this.#grants;
        const { outcome } = await askWithNewest({
          present: () => this.#account,
          obtain: (account) => obtain(account, signal),
          renew: (account) => this.renew(account),
        });
        await this.#keepRotated(refreshTokenOf(outcome), signal);
        return { outcome, grant };
      });
      signal.throwIfAborted();
      if (grant !== this.#grants) continue;
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value.accessToken;
    }
  }

  /** A rotated token may be the only valid one left: it is on disk before anything else happens, a stop included. */
  async #keepRotated(refreshToken: string | undefined, signal: AbortSignal): Promise<void> {
    if (refreshToken === undefined || refreshToken === this.#account.refreshToken) return;
    if (signal.aborted && !this.#closed) return; // The answer belongs to a grant that has been replaced.
    await this.#save(this.#succeed(refreshToken), signal);
  }

  async #saveAtLast(): Promise<void> {
    if (this.#unsaved === undefined) return;
    try {
      await this.#save(this.#unsaved);
    } catch (error) {
      const failure = asTokenError(error);
      const details = describeFailure(failure, this.#account.email);
      this.#context.log.error("The newest refresh token of {account} is lost: {message}. {remedy}", details);
    }
  }

  async #save(previous: Account, signal?: AbortSignal): Promise<void> {
    const { refreshToken } = this.#account;
    if (refreshToken === undefined) return;
    try {
      await this.#context.persist(previous, refreshToken);
    } catch (error) {
      throw new TokenError("TOKEN_UNAVAILABLE", "the rotated refresh token could not be written", {
        cause: error,
        remedy: "Check space and permissions of the accounts file, its folder and the state folder",
      });
    }
    if (!signal?.aborted || this.#closed) this.#unsaved = undefined;
  }

  #adopt(token: AccessToken): void {
    const { now, random, schedule, log } = this.#context;
    const nowMs = now();
    const held = {
      ...token,
      ...tokenMargins(token, { nowMs, random: random(), provider: this.#account.provider }),
    };
    const { email: account } = this.#account;
    if (this.#failure === undefined) log.debug("Access token of {account} refreshed", { account });
    else log.info("Access token of {account} can be had again", { account });
    this.#token = held;
    this.retry();
    this.#cancelTimer();
    this.#cancelTimer = schedule(() => this.#refreshAhead(), this.#refreshDelayMs(held.refreshAtMs - nowMs));
  }

  #refreshDelayMs(leftMs: number): number {
    if (leftMs >= leastRefreshIntervalMs) {
      this.#hastyRefreshes = 0;
      return leftMs;
    }
    return Math.min(leastRefreshIntervalMs * 2 ** this.#hastyRefreshes++, longestHoldOffMs);
  }

  #fail(failure: TokenError, startedMs: number): void {
    const { now, random, schedule, log, onRefresh } = this.#context;
    const lasting = failure.code === "NEEDS_AUTHORIZATION";
    this.#failure = failure;
    this.#failures++;
    const backoffMs = Math.min(firstHoldOffMs * 2 ** (this.#failures - 1), longestHoldOffMs);
    const holdOffMs = Math.max(failure.retryAfterMs ?? 0, backoffMs * (0.5 + random() / 2));
    this.#holdOffUntilMs = now() + holdOffMs;
    this.#cancelTimer();
    const { email } = this.#account;
    const details = describeFailure(failure, email);
    if (lasting) log.error("Account {account} needs authorization: {message}. {remedy}", details);
    else {
      log.warning("Access token of {account} can't be refreshed: {message}. {remedy}", details);
      this.#cancelTimer = schedule(() => this.#refreshAhead(), holdOffMs);
    }
    const outcome = lasting ? "needs_authorization" : "failed";
    onRefresh?.({ email, outcome, durationMs: now() - startedMs });
  }
}

function describeFailure(failure: TokenError, account: string): Record<string, unknown> {
  const { message, remedy, error, errorCodes, status, correlationId, traceId } = failure;
  return { account, message, remedy, error, errorCodes, status, correlationId, traceId };
}

/** Whatever else went wrong lies on this host, and is tried again like a failure of the network. */
function asTokenError(error: unknown): TokenError {
  if (error instanceof TokenError) return error;
  return new TokenError("TOKEN_UNAVAILABLE", "the account's OAuth settings can't be used", {
    cause: error,
    remedy: "Check oauth_token_url, private_key_file and certificate_file of the account",
  });
}

function closedError(): TokenError {
  return new TokenError("TOKEN_UNAVAILABLE", "the daemon is stopping or the account was removed", {
    remedy: "Send again later",
  });
}
