/** Joins each caller's signal with one that ends all of them, and lets go of both when the work is done. */

/** Work under way that `abort` ends together. */
export class AbortScope {
  readonly #running = new Set<AbortController>();
  #reason: unknown;

  /**
   * Runs `work` under a signal that aborts with the caller's, or with the scope.
   *
   * @throws What `work` throws.
   */
  async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const cancel = () => controller.abort(signal.reason);
    if (this.#reason !== undefined) controller.abort(this.#reason);
    if (signal.aborted) cancel();
    signal.addEventListener("abort", cancel, { once: true });
    this.#running.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#running.delete(controller);
      signal.removeEventListener("abort", cancel);
    }
  }

  /** Aborts what runs, and whatever is begun later. */
  abort(reason: Error): void {
    this.#reason = reason;
    for (const controller of this.#running) controller.abort(reason);
  }
}
