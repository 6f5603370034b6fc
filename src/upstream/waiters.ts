/** A fair queue: first come, first served; each place can be given up by a signal or a deadline. */

/** Places in the order in which they were taken. `T` is what a place is waiting for. */
export class Waiters<T> {
  readonly #queue = new Set<(value: T) => void>();
  readonly #reject = new Map<(value: T) => void, (reason: unknown) => void>();

  get length(): number {
    return this.#queue.size;
  }

  /**
   * Waits for `give`.
   *
   * @param onTimeout Makes the error after `timeoutMs`.
   * @throws The signal's reason when it aborts; what `rejectAll` was given.
   */
  wait(
    { signal, timeoutMs, onTimeout }: { signal: AbortSignal; timeoutMs: number; onTimeout: () => Error },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#queue.delete(take);
        this.#reject.delete(take);
      };
      const take = (value: T) => {
        leave();
        resolve(value);
      };
      const refuse = (reason: unknown) => {
        leave();
        reject(reason);
      };
      const onAbort = () => refuse(signal.reason);
      const timer = setTimeout(() => refuse(onTimeout()), timeoutMs);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#queue.add(take);
      this.#reject.set(take, refuse);
    });
  }

  /** Gives `value` to the first in the queue. @returns false when nobody waits. */
  give(value: T): boolean {
    for (const first of this.#queue) {
      first(value);
      return true;
    }
    return false;
  }

  rejectAll(reason: unknown): void {
    for (const refuse of [...this.#reject.values()]) refuse(reason);
  }
}
