/** The pools of all mailboxes. */

import type { Logger } from "@logtape/logtape";
import type { Park } from "./connection.ts";
import type { Dialer } from "./dialer.ts";
import type { Mailbox } from "./mailbox.ts";
import { MailboxPool } from "./mailbox_pool.ts";

export interface UpstreamPoolsOptions {
  readonly dialer: Pick<Dialer, "dial">;
  readonly log: Logger;
  readonly now: () => number;
  /** Told each time that a provider, or a limit that is counted here, slows an account down; for metrics. */
  readonly onThrottle?: () => void;
}

/** One pool a mailbox, made when it is first used. E-mail addresses are compared without regard to case. */
export class UpstreamPools {
  readonly #options: UpstreamPoolsOptions;
  readonly #pools = new Map<string, MailboxPool>();
  /** Pools of removed accounts whose last connections are still in use or closing. */
  readonly #removed = new Map<string, MailboxPool>();
  /** Removed pools that nobody can find again, while they let go of their timers. */
  readonly #ending = new Set<Promise<unknown>>();
  #closing: Promise<number[]> | undefined;

  constructor(options: UpstreamPoolsOptions) {
    this.#options = options;
  }

  /** The pool of a mailbox; after `close` one that is closed, too. */
  for(mailbox: Mailbox): MailboxPool {
    const key = mailbox.email.toLowerCase();
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = this.#revive(key, mailbox) ?? new MailboxPool(mailbox, this.#options);
      this.#pools.set(key, pool);
      if (this.#closing) this.#closing = Promise.all([...this.#pools.values()].map((each) => each.close()));
    }
    return pool;
  }

  /** The pool of an account that has been used, by e-mail. */
  get(email: string): MailboxPool | undefined {
    return this.#pools.get(email.toLowerCase());
  }

  /** Pools of the accounts that have been used, with their e-mail. */
  *[Symbol.iterator](): Generator<[string, MailboxPool]> {
    for (const pool of this.#pools.values()) yield [pool.mailbox.email, pool];
  }

  /** New settings or credentials for an account; its transactions in hand end as they began. */
  replace(mailbox: Mailbox): void {
    this.get(mailbox.email)?.replace(mailbox);
  }

  /** The account is gone: idle connections close now, those in use after the transaction in hand. */
  remove(email: string): void {
    const key = email.toLowerCase();
    const pool = this.#pools.get(key);
    if (!pool) return;
    pool.remove();
    this.#pools.delete(key);
    for (const [other, empty] of this.#removed) if (empty.state.open === 0) this.#end(other, empty);
    this.#removed.set(key, pool);
  }

  /** Forgets a removed pool, with the timers of its counts and of its wait. */
  #end(key: string, pool: MailboxPool): void {
    this.#removed.delete(key);
    const ending = pool.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /**
   * Says QUIT on all idle connections in parallel; what is still in use is cut.
   *
   * @param park Default: connections are closed at once.
   * @returns how many were idle.
   */
  async close(park?: Park): Promise<number> {
    const pools = [...this.#pools.values(), ...this.#removed.values()];
    this.#closing = Promise.all(pools.map((pool) => pool.close(park)));
    await Promise.all(this.#ending);
    return (await this.#closing).reduce((sum, count) => sum + count, 0);
  }

  /** An account that comes back finds its pool again: the connections that it still has count for its limit. */
  #revive(key: string, mailbox: Mailbox): MailboxPool | undefined {
    const pool = this.#removed.get(key);
    this.#removed.delete(key);
    pool?.replace(mailbox);
    return pool;
  }
}
