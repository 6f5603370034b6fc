import { abortable } from "./abortable.ts";

/**
 * One token request at a time for each account, what follows from its answer included. A refresh token that its provider
 * rotates is good for one request: sent a second time it reads `invalid_grant`, and some providers then withdraw the whole
 * grant (RFC 9700 §4.14.2).
 */
export class GrantTurns {
  /** By e-mail in lower case: resolves when everybody who has asked so far is done. */
  readonly #last = new Map<string, Promise<void>>();

  /**
   * Runs `work` when all that was asked for the same account before is over.
   *
   * @throws The signal's reason when it aborts first; what `work` throws.
   */
  async run<T>(email: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const key = email.toLowerCase();
    const before = this.#last.get(key);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const last: Promise<void> = Promise.all([before, done]).then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    });
    this.#last.set(key, last);
    try {
      if (before) await abortable(before, signal);
      return await work();
    } finally {
      resolve();
    }
  }

  /** Makes those who ask from now on for an account wait, too, for what was asked for it under its old e-mail. */
  async rename(from: string, to: string): Promise<void> {
    const before = this.#last.get(from.toLowerCase());
    if (before) await this.run(to, new AbortController().signal, () => before);
  }
}
