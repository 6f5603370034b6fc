import { abortable } from "../waiting/abortable.ts";

/**
 * One token request at a time for each account, what follows from its answer included. A refresh token that its provider
 * rotates is good for one request: sent a second time it reads `invalid_grant`, and some providers then withdraw the whole
 * grant (RFC 9700 §4.14.2).
 */
export class GrantTurns {
  /** By e-mail in lower case: resolves when everybody who has asked so far is done. */
  readonly #last = new Map<string, Promise<void>>();
  /** By e-mail in lower case: another object for each grant that came while somebody waited for a turn. */
  readonly #grants = new Map<string, object>();

  /**
   * Runs `work` when all that was asked for the same account before is over.
   *
   * @param work Is given what tells whether the turn still counts: with a new grant, others ask beside it.
   * @throws The signal's reason when it aborts first; what `work` throws.
   */
  async run<T>(
    email: string,
    signal: AbortSignal,
    work: (isCurrent: () => boolean) => Promise<T>,
  ): Promise<T> {
    const key = email.toLowerCase();
    for (;;) {
      const [grant, before] = [this.#grants.get(key), this.#last.get(key)];
      const { promise: done, resolve } = Promise.withResolvers<void>();
      this.#setLast(key, done);
      try {
        if (before) await abortable(before, signal);
        // With a new grant by now, it goes behind those who ask with that already.
        const isCurrent = () => this.#grants.get(key) === grant;
        if (isCurrent()) return await work(isCurrent);
      } finally {
        resolve();
      }
    }
  }

  /** Makes those who ask from now on for an account wait, too, for what was asked for it under its old e-mail. */
  rename(from: string, to: string): void {
    const before = this.#last.get(from.toLowerCase());
    if (before) this.#setLast(to.toLowerCase(), before);
  }

  /** The account has another grant: who asks from now on waits for nothing that was asked with the old one. */
  forget(email: string): void {
    const key = email.toLowerCase();
    if (this.#last.delete(key)) this.#grants.set(key, {});
  }

  /** What is asked for `key` from now on waits for `done`, and for all before it. */
  #setLast(key: string, done: Promise<void>): void {
    const last: Promise<void> = Promise.all([this.#last.get(key), done]).then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    });
    this.#last.set(key, last);
  }
}
