/** Authorizations that a user has begun and not finished: in a browser (code and PKCE), or with a device code. */

import type { Logger } from "@logtape/logtape";
import type { Account } from "../accounts/account.ts";
import type { AccountStore } from "../accounts/account_store.ts";
import type { GrantedTokens } from "../oauth/access_token.ts";
import {
  finishAuthorizationCode,
  type PendingAuthorization,
  startAuthorizationCode,
} from "../oauth/authorization_code.ts";
import { type PendingDeviceCode, startDeviceCode, waitForDeviceCode } from "../oauth/device_code.ts";
import { EndpointClient } from "../oauth/endpoint_client.ts";
import { TokenError } from "../oauth/token_error.ts";
import { withTimeout } from "../oauth/with_timeout.ts";
import { RequestProblem } from "./request_problem.ts";

/** How the authorization of an account stands. */
export interface AuthorizationState {
  readonly state: "none" | "pending" | "authorized" | "failed";
  readonly error?: string;
  readonly remedy?: string;
}

/** What authorizations work on. */
export interface AuthorizationsOptions {
  readonly accounts: Pick<AccountStore, "update">;
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

/** A user has this long to come back from the provider's pages. */
const browserLifeMs = 600_000;
const requestTimeoutMs = 30_000;

interface Pending {
  readonly account: Account;
  readonly expiresAtMs: number;
  /** Absent for a device code. */
  readonly browser?: PendingAuthorization;
  readonly abort: AbortController;
}

/** One at a time for each account; bounded in number and time, and each finishes at most once. */
export class Authorizations {
  readonly #options: AuthorizationsOptions;
  readonly #endpoints = new EndpointClient();
  /** By lower-case e-mail. */
  readonly #pending = new Map<string, Pending>();
  readonly #outcomes = new Map<string, AuthorizationState>();
  readonly #polls = new Set<Promise<void>>();

  constructor(options: AuthorizationsOptions) {
    this.#options = options;
  }

  /**
   * Prepares the URL for the user's browser.
   *
   * @throws {RequestProblem} 429 if too many are pending, 400 if the provider has no such pages.
   */
  async startInBrowser(
    account: Account,
    redirectUri: string,
  ): Promise<{ readonly url: string; readonly expiresAtMs: number }> {
    this.#makeRoom(account);
    const browser = await offered(() =>
      startAuthorizationCode(account, { redirectUri, loginHint: account.email })
    );
    const expiresAtMs = this.#options.now() + browserLifeMs;
    this.#begin({ account, expiresAtMs, browser, abort: new AbortController() });
    return { url: browser.url, expiresAtMs };
  }

  /**
   * Asks for a code that the user types in on another device, and waits for that in the background.
   *
   * @throws As `startInBrowser`, and {TokenError} if the provider refuses.
   */
  async startWithDeviceCode(account: Account): Promise<PendingDeviceCode> {
    this.#makeRoom(account);
    const { closing, now } = this.#options;
    const fetch = this.#endpoints.fetchFor(account.provider);
    const device = await offered(() =>
      withTimeout(
        (signal) => startDeviceCode({ client: account, signal, fetch, now }),
        { signal: closing, timeoutMs: requestTimeoutMs },
      )
    );
    const pending = { account, expiresAtMs: device.expiresAtMs, abort: new AbortController() };
    this.#begin(pending);
    const signal = AbortSignal.any([closing, pending.abort.signal]);
    const poll: Promise<void> = this.#settle(
      pending,
      () => waitForDeviceCode(device, { client: account, signal, fetch, now }),
    ).catch(() => {}).finally(() => this.#polls.delete(poll)); // its outcome is kept in `#outcomes`
    this.#polls.add(poll);
    return device;
  }

  /**
   * Finishes the authorization that a callback belongs to.
   *
   * @returns The account's e-mail.
   * @throws {RequestProblem} 400 if there is none, or it was used or has expired.
   * @throws {TokenError} If the user or the provider refused.
   */
  async finish(callbackUrl: string): Promise<string> {
    this.#forgetExpired();
    const state = URL.parse(callbackUrl)?.searchParams.get("state");
    const pending = [...this.#pending.values()].find(({ browser }) => browser && browser.state === state);
    if (!pending?.browser) {
      throw new RequestProblem(
        400,
        "No authorization is waiting for this answer: it was used, has expired, or was started anew. Start it again",
      );
    }
    const { account, browser } = pending;
    // A state counts once (RFC 6749 §10.12), however the exchange ends.
    this.#pending.delete(keyOf(account));
    const { closing, now } = this.#options;
    const fetch = this.#endpoints.fetchFor(account.provider);
    await this.#settle(pending, () =>
      withTimeout(
        (signal) =>
          finishAuthorizationCode({ pending: browser, callbackUrl }, { client: account, signal, fetch, now }),
        { signal: closing, timeoutMs: requestTimeoutMs },
      ));
    return account.email;
  }

  /** How the last authorization of a mailbox stands. */
  stateOf(email: string): AuthorizationState {
    this.#forgetExpired();
    const key = email.toLowerCase();
    if (this.#pending.has(key)) return { state: "pending" };
    return this.#outcomes.get(key) ?? { state: "none" };
  }

  /** Resolves when nothing is under way any more; `closing` has to abort first. */
  async close(): Promise<void> {
    this.#pending.clear();
    await Promise.all(this.#polls);
    await this.#endpoints.close();
  }

  #makeRoom(account: Account): void {
    this.#forgetExpired();
    const { limit = 100 } = this.#options;
    if (this.#pending.size < limit || this.#pending.has(keyOf(account))) return;
    throw new RequestProblem(
      429,
      `${limit} authorizations are pending: finish some, or wait until they expire`,
    );
  }

  #begin(pending: Pending): void {
    const key = keyOf(pending.account);
    this.#pending.get(key)?.abort.abort();
    this.#outcomes.delete(key);
    this.#pending.set(key, pending);
  }

  #forgetExpired(): void {
    for (const [key, { expiresAtMs, abort, browser }] of this.#pending) {
      // A device code's own poll ends it.
      if (!browser || expiresAtMs > this.#options.now()) continue;
      abort.abort();
      this.#pending.delete(key);
      this.#outcomes.set(key, {
        state: "failed",
        error: "nobody came back in time",
        remedy: "Start it again",
      });
    }
  }

  async #settle(
    pending: Pending,
    obtain: () => Promise<GrantedTokens & { readonly refreshToken: string }>,
  ): Promise<void> {
    const { account } = pending;
    const { log } = this.#options;
    const key = keyOf(account);
    try {
      const { refreshToken } = await obtain();
      await this.#save(account, refreshToken);
      this.#outcomes.set(key, { state: "authorized" });
      log.info("Account {account} is authorized", { account: account.email });
    } catch (error) {
      if (pending.abort.signal.aborted) throw error;
      const remedy = error instanceof TokenError ? error.remedy : "Start it again";
      const message = error instanceof Error ? error.message : String(error);
      this.#outcomes.set(key, { state: "failed", error: message, remedy });
      log.warning("Authorization of {account} failed: {message}. {remedy}", {
        account: account.email,
        message,
        remedy,
      });
      throw error;
    } finally {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    }
  }

  async #save(account: Account, refreshToken: string): Promise<void> {
    await this.#options.accounts.update(account.email, {
      refresh_token: refreshToken,
      ...(account.grant !== "refresh_token" && { grant: null }),
    });
    this.#options.accountsChanged();
  }
}

/** A provider without the endpoint for it is no failure of ours. */
async function offered<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof TypeError) throw new RequestProblem(400, error.message);
    throw error;
  }
}

function keyOf({ email }: Account): string {
  return email.toLowerCase();
}
