/** Who is signed in to the page. In memory only: after a restart everybody signs in again. */

import { randomBytes } from "node:crypto";

/** A browser that has shown the admin token. */
export interface PageSession {
  /** Value of the cookie, unrelated to the admin token. A secret. */
  readonly id: string;
  /** Comes back in each form, so that no other page can send one (OWASP, synchronizer token). A secret. */
  readonly csrfToken: string;
  readonly expiresAtMs: number;
}

/** What sessions are made with. */
export interface PageSessionsOptions {
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** Default: 12 hours. */
  readonly lifeMs?: number;
  /** Most sessions at once; the oldest makes room. Default: 100. */
  readonly limit?: number;
}

/** The sessions of the page. */
export class PageSessions {
  readonly #now: () => number;
  readonly #lifeMs: number;
  readonly #limit: number;
  /** By id, oldest first. */
  readonly #sessions = new Map<string, PageSession>();

  constructor({ now, lifeMs = 12 * 3_600_000, limit = 100 }: PageSessionsOptions) {
    this.#now = now;
    this.#lifeMs = lifeMs;
    this.#limit = limit;
  }

  /** Begins a session. */
  open(): PageSession {
    for (const { id } of this.#sessions.values()) {
      // They are in the order in which they expire.
      if (this.#sessions.size < this.#limit && this.find(id)) break;
      this.#sessions.delete(id);
    }
    const session = { id: secret(), csrfToken: secret(), expiresAtMs: this.#now() + this.#lifeMs };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** The session of a cookie, while it lasts. */
  find(id: string | undefined): PageSession | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    return session && session.expiresAtMs > this.#now() ? session : undefined;
  }

  /** Ends a session. */
  close(id: string): void {
    this.#sessions.delete(id);
  }
}

function secret(): string {
  return randomBytes(32).toString("base64url");
}
