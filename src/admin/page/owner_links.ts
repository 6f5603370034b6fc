/**
 * Links with which the owner of a mailbox connects it without the admin token. In memory only; a link names one account,
 * can do nothing else, and is spent when an authorization that it began has succeeded.
 */

import { randomBytes } from "node:crypto";
import type { AuthorizationState } from "../authorizations.ts";

/** What links are made with. */
export interface OwnerLinksOptions {
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** How the last authorization of a mailbox stands. */
  readonly stateOf: (email: string) => AuthorizationState;
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

interface Entry extends OwnerLink {
  /** The owner has gone on to the provider. */
  begun: boolean;
}

/** The links that were given out. */
export class OwnerLinks {
  readonly #options: OwnerLinksOptions;
  readonly #lifeMs: number;
  readonly #limit: number;
  /** By token, oldest first. */
  readonly #links = new Map<string, Entry>();

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
    const link = { token, email, expiresAtMs: this.#options.now() + this.#lifeMs, begun: false };
    this.#links.set(token, link);
    return link;
  }

  /** The link of a token, unless it was spent, replaced or has expired. */
  find(token: string): OwnerLink | undefined {
    const link = this.#links.get(token);
    if (!link) return undefined;
    const isSpent = link.begun && this.#options.stateOf(link.email).state === "authorized";
    if (!isSpent && link.expiresAtMs > this.#options.now()) return link;
    this.#links.delete(token);
    return undefined;
  }

  /** To be called when the owner goes on to the provider. */
  begin(token: string): void {
    const link = this.#links.get(token);
    if (link) link.begun = true;
  }

  /** To be called before an administrator begins an authorization, whose outcome is none of a link's. */
  settle(email: string): void {
    for (const { token, email: owner } of [...this.#links.values()]) {
      if (isSame(owner, email)) this.find(token);
    }
    for (const link of this.#links.values()) {
      if (isSame(link.email, email)) link.begun = false;
    }
  }
}

function isSame(email: string, other: string): boolean {
  return email.toLowerCase() === other.toLowerCase();
}
