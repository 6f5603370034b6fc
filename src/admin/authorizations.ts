/** Authorizations that a user has begun and not finished: in a browser (code and PKCE), or with a device code. */

import type { Logger } from "@logtape/logtape";
import type { Account } from "../accounts/account.ts";
import type { AccountStore } from "../accounts/account_store.ts";
import { AccountStoreError } from "../accounts/account_store_error.ts";
import type { GrantedTokens } from "../oauth/access_token.ts";
import {
  finishAuthorizationCode,
  type PendingAuthorization,
  startAuthorizationCode,
} from "../oauth/authorization_code.ts";
import { type PendingDeviceCode, startDeviceCode, waitForDeviceCode } from "../oauth/device_code.ts";
import { EndpointClient } from "../oauth/endpoint_client.ts";
import { TokenError } from "../oauth/token_error.ts";
import { withTimeout } from "../waiting/with_timeout.ts";
import { RequestProblem } from "./request_problem.ts";
import { requireInteractiveGrant } from "./require_interactive_grant.ts";

/** How the authorization of an account stands. */
export interface AuthorizationState {
  readonly state: "none" | "pending" | "authorized" | "failed";
  readonly error?: string;
  readonly remedy?: string;
}

/** What authorizations work on. */
export interface AuthorizationsOptions {
  readonly accounts: Pick<AccountStore, "get" | "update" | "requireWritable">;
  /** Makes the store's edits live. */
  readonly accountsChanged: () => void;
  readonly log: Logger;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** Ends what is under way. */
  readonly closing: AbortSignal;
  /** Most that may be pending; default 100. */
  readonly limit?: number;
}

/** How an authorization in a browser goes. */
export interface BrowserWay {
  /** Where the provider sends the browser back to. */
  readonly redirectUri: string;
  /** Called when the account has its grant. */
  readonly onAuthorized?: () => void;
}

/** A user has this long to come back from the provider's pages. */
const browserLifeMs = 600_000;
const requestTimeoutMs = 30_000;

/** An authorization that was begun: under way until it has an outcome. */
interface Attempt {
  /** As it was at the start. */
  readonly account: Account;
  /** Absent for a device code, whose poll ends by itself, and once the user has come back. */
  browser?: PendingAuthorization & { readonly expiresAtMs: number };
  outcome?: AuthorizationState;
  readonly onAuthorized?: () => void;
  readonly abort: AbortController;
}

/** One at a time for each account; bounded in number and time, and each finishes at most once. */
export class Authorizations {
  readonly #options: AuthorizationsOptions;
  readonly #endpoints = new EndpointClient();
  /** The last of each account, by lower-case e-mail. */
  readonly #attempts = new Map<string, Attempt>();
  /** Those that are no attempts yet, and become ones. */
  #starting = 0;
  readonly #polls = new Set<Promise<void>>();

  constructor(options: AuthorizationsOptions) {
    this.#options = options;
  }

  /**
   * Prepares the URL for the user's browser.
   *
   * @throws {RequestProblem} 429 if too many are pending, 400 if the provider has no such pages or the account's grant is
   * none that a user gives, 409 if the account is removed or changed meanwhile.
   */
  async startInBrowser(
    account: Account,
    { redirectUri, onAuthorized }: BrowserWay,
  ): Promise<{ readonly url: string; readonly expiresAtMs: number }> {
    return await this.#start(account, async () => {
      const pending = await startAuthorizationCode(account, { redirectUri, loginHint: account.email });
      const expiresAtMs = this.#options.now() + browserLifeMs;
      const browser = { ...pending, expiresAtMs };
      this.#begin({ account, browser, abort: new AbortController(), ...(onAuthorized && { onAuthorized }) });
      return { url: pending.url, expiresAtMs };
    });
  }

  /**
   * Asks for a code that the user types in on another device, and waits for that in the background.
   *
   * @throws As `startInBrowser`, and {TokenError} if the provider refuses.
   */
  async startWithDeviceCode(account: Account): Promise<PendingDeviceCode> {
    const { closing, now } = this.#options;
    const fetch = this.#endpoints.fetchFor(account.provider);
    return await this.#start(account, async () => {
      const device = await withTimeout(
        (signal) => startDeviceCode({ client: account, signal, fetch, now }),
        { signal: closing, timeoutMs: requestTimeoutMs },
      );
      const attempt = { account, abort: new AbortController() };
      this.#begin(attempt);
      const poll: Promise<void> = this.#settle(
        attempt,
        (signal) => waitForDeviceCode(device, { client: account, signal, fetch, now }),
      ).catch(() => {}).finally(() => this.#polls.delete(poll)); // its outcome is kept with the attempt
      this.#polls.add(poll);
      return device;
    });
  }

  /**
   * Finishes the authorization that a callback belongs to.
   *
   * @returns The account's e-mail.
   * @throws {RequestProblem} If there is none, it was used or has expired, or its account was removed or changed; 503 if
   * the account couldn't be saved, and the callback may come again.
   * @throws {TokenError} If the user or the provider refused.
   */
  async finish(callbackUrl: string): Promise<string> {
    this.review();
    const state = URL.parse(callbackUrl)?.searchParams.get("state");
    const attempt = [...this.#attempts.values()].find(({ browser }) => browser && browser.state === state);
    if (attempt?.browser) await this.#requireWritable();
    // It may have been used, or ended, meanwhile.
    this.review();
    if (!attempt?.browser || this.#attempts.get(keyOf(attempt.account)) !== attempt) {
      throw new RequestProblem(
        400,
        "No authorization is waiting for this answer: it was used, has expired, or was started anew. Start it again",
      );
    }
    const { account, browser } = attempt;
    // A state counts once (RFC 6749 §10.12), however the exchange ends.
    delete attempt.browser;
    const fetch = this.#endpoints.fetchFor(account.provider);
    await this.#settle(attempt, (signal) =>
      withTimeout(
        (limited) =>
          finishAuthorizationCode({ pending: browser, callbackUrl }, {
            client: account,
            signal: limited,
            fetch,
            now: this.#options.now,
          }),
        { signal, timeoutMs: requestTimeoutMs },
      ));
    return account.email;
  }

  /** The code is good for one exchange: it stays unspent while its grant couldn't be kept. @throws {RequestProblem} */
  async #requireWritable(): Promise<void> {
    const { accounts, log } = this.#options;
    try {
      await accounts.requireWritable();
    } catch (error) {
      if (!(error instanceof AccountStoreError)) throw error;
      log.error("An authorization can't be kept: {cause}", { cause: error.message });
      throw new RequestProblem(
        503,
        "The account can't be saved now: tell the administrator, who sees why in the log, and load this page again when that is mended",
      );
    }
  }

  /** How the last authorization of a mailbox stands. */
  stateOf(email: string): AuthorizationState {
    this.review();
    const attempt = this.#attempts.get(email.toLowerCase());
    return attempt ? attempt.outcome ?? { state: "pending" } : { state: "none" };
  }

  /**
   * Ends the authorizations of accounts that are gone or have another app now, and forgets how they went; to be called
   * after each change of the accounts. Fails those for which nobody came back in time.
   */
  review(): void {
    for (const [key, attempt] of this.#attempts) {
      const { account, browser, abort } = attempt;
      const present = this.#options.accounts.get(account.email);
      if (!present || !isSameApp(account, present)) {
        this.#attempts.delete(key);
        abort.abort(
          new RequestProblem(
            409,
            "The account was removed or has another app now: start its authorization again",
          ),
        );
      } else if (browser && browser.expiresAtMs <= this.#options.now()) {
        delete attempt.browser;
        attempt.outcome = {
          state: "failed",
          error: "nobody came back in time",
          remedy: "Start it again",
        };
      }
    }
  }

  /** Resolves when nothing is under way any more; `closing` has to abort first. */
  async close(): Promise<void> {
    this.#attempts.clear();
    await Promise.all(this.#polls);
    await this.#endpoints.close();
  }

  async #start<T>(account: Account, begin: () => Promise<T>): Promise<T> {
    requireInteractiveGrant(account);
    this.review();
    const pending = [...this.#attempts.values()].filter(({ outcome }) => !outcome);
    const { limit = 100 } = this.#options;
    const takesPlace = pending.some((attempt) => keyOf(attempt.account) === keyOf(account));
    if (!takesPlace && pending.length + this.#starting >= limit) {
      throw new RequestProblem(
        429,
        `${limit} authorizations are pending: finish some, or wait until they expire`,
      );
    }
    this.#starting++;
    try {
      // Before anybody consents: what can't be kept would be lost.
      await this.#options.accounts.requireWritable();
      return await begin();
    } catch (error) {
      // A provider without the endpoint for it is no failure of ours.
      if (error instanceof TypeError) throw new RequestProblem(400, error.message);
      throw error;
    } finally {
      this.#starting--;
    }
  }

  #begin(attempt: Attempt): void {
    const key = keyOf(attempt.account);
    this.#attempts.get(key)?.abort.abort(
      new RequestProblem(409, "Another authorization of the account was started: finish that one"),
    );
    this.#attempts.set(key, attempt);
    this.#assertCurrent(attempt);
  }

  /** @throws {RequestProblem} If the account was removed or changed, or another attempt took this one's place. */
  #assertCurrent({ abort }: Attempt): void {
    this.review();
    abort.signal.throwIfAborted();
  }

  async #settle(
    attempt: Attempt,
    obtain: (signal: AbortSignal) => Promise<GrantedTokens & { readonly refreshToken: string }>,
  ): Promise<void> {
    const { account, abort } = attempt;
    const { log, closing } = this.#options;
    try {
      const { refreshToken } = await obtain(AbortSignal.any([closing, abort.signal]));
      this.#assertCurrent(attempt);
      await this.#save(account, refreshToken);
      attempt.outcome = { state: "authorized" };
      attempt.onAuthorized?.();
      log.info("Account {account} is authorized", { account: account.email });
    } catch (error) {
      if (abort.signal.aborted) throw error;
      const remedy = error instanceof TokenError ? error.remedy : "Start it again";
      const message = error instanceof Error ? error.message : String(error);
      attempt.outcome = { state: "failed", error: message, remedy };
      log.warning("Authorization of {account} failed: {message}. {remedy}", {
        account: account.email,
        message,
        remedy,
      });
      throw error;
    }
  }

  async #save(account: Account, refreshToken: string): Promise<void> {
    await this.#options.accounts.update(account.email, { refresh_token: refreshToken });
    this.#options.accountsChanged();
  }
}

/** A refresh token is good for the client that it was issued to, at the endpoint that issued it (RFC 6749 §6). */
function isSameApp(one: Account, other: Account): boolean {
  return one.grant === other.grant &&
    one.clientId === other.clientId &&
    one.providerName === other.providerName &&
    one.provider.tokenUrl === other.provider.tokenUrl;
}

function keyOf({ email }: Account): string {
  return email.toLowerCase();
}
