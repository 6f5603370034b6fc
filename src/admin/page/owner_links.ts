/**
 * Links with which the owner of a mailbox connects it without the admin token. In memory only; a link names one account,
 * can do nothing else, ends with the account, and is spent when an authorization that it began has succeeded.
 */

import { randomBytes } from "node:crypto";
import type { AccountStore } from "../../accounts/account_store.ts";

/** What links are made with. */
export interface OwnerLinksOptions {
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  readonly accounts: Pick<AccountStore, "get">;
  /** Default: 72 hours. */
  readonly lifeMs?: number;
  /** Most links at once; the oldest makes room. Default: 1,000. */
  readonly limit?: number;
}

/** A link that works. */
export interface OwnerLink {
  /** Last part of its path. A secret. */
  readonly token: string;
  readonly email: string;
  readonly expiresAtMs: number;
}

/** The links that were given out. */
export class OwnerLinks {
  readonly #options: OwnerLinksOptions;
  readonly #lifeMs: number;
  readonly #limit: number;
  /** By token, oldest first. */
  readonly #links = new Map<string, OwnerLink>();

  constructor(options: OwnerLinksOptions) {
    this.#options = options;
    this.#lifeMs = options.lifeMs ?? 72 * 3_600_000;
    this.#limit = options.limit ?? 1000;
  }

  /** Makes a link; earlier ones of the same account end. */
  create(email: string): OwnerLink {
    for (const [token, link] of this.#links) {
      if (isSame(link.email, email) || this.#links.size >= this.#limit) this.#links.delete(token);
    }
    const token = randomBytes(32).toString("base64url");
    const link = { token, email, expiresAtMs: this.#options.now() + this.#lifeMs };
    this.#links.set(token, link);
    return link;
  }

  /** The link of a token, unless it was spent, replaced, has expired, or its account is gone. */
  find(token: string): OwnerLink | undefined {
    this.review();
    return this.#links.get(token);
  }

  /** To be called when an authorization that the link began has succeeded. */
  spend(token: string): void {
    this.#links.delete(token);
  }

  /** Ends the links of accounts that are gone, and those whose time is over; to be called after each change of the accounts. */
  review(): void {
    const { accounts, now } = this.#options;
    for (const [token, { email, expiresAtMs }] of this.#links) {
      if (!accounts.get(email) || expiresAtMs <= now()) this.#links.delete(token);
    }
  }
}

function isSame(email: string, other: string): boolean {
  return email.toLowerCase() === other.toLowerCase();
}
