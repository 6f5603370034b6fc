/** The pools of all mailboxes. */

import type { Logger } from "@logtape/logtape";
import type { Dialer } from "./dialer.ts";
import type { Mailbox } from "./mailbox.ts";
import { MailboxPool } from "./mailbox_pool.ts";

export interface UpstreamPoolsOptions {
  readonly dialer: Dialer;
  readonly log: Logger;
  readonly now: () => number;
}

/** One pool a mailbox, made when it is first used. */
export class UpstreamPools {
  readonly #options: UpstreamPoolsOptions;
  readonly #pools = new Map<string, MailboxPool>();
  /** Pools of removed accounts whose last connections are still closing. */
  #removed: MailboxPool[] = [];

  constructor(options: UpstreamPoolsOptions) {
    this.#options = options;
  }

  /** The pool of a mailbox. */
  for(mailbox: Mailbox): MailboxPool {
    let pool = this.#pools.get(mailbox.email);
    if (!pool) {
      pool = new MailboxPool(mailbox, this.#options);
      this.#pools.set(mailbox.email, pool);
    }
    return pool;
  }

  /** The pool of an account that has been used, by e-mail. */
  get(email: string): MailboxPool | undefined {
    return this.#pools.get(email);
  }

  [Symbol.iterator](): MapIterator<[string, MailboxPool]> {
    return this.#pools.entries();
  }

  /** New settings or credentials for an account; its transactions in hand end as they began. */
  replace(mailbox: Mailbox): void {
    this.#pools.get(mailbox.email)?.replace(mailbox);
  }

  /** The account is gone: idle connections close now, those in use after the transaction in hand. */
  remove(email: string): void {
    const pool = this.#pools.get(email);
    if (!pool) return;
    pool.retire();
    this.#pools.delete(email);
    this.#removed = [...this.#removed.filter((other) => other.state.open > 0), pool];
  }

  /** Says QUIT on all idle connections in parallel; what is still in use is cut. @returns how many were idle. */
  async close(): Promise<number> {
    const closed = await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    return closed.reduce((sum, count) => sum + count, 0);
  }
}
