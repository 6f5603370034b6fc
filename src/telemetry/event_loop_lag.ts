/** How long the event loop was kept from turning: a timer that fires late has waited for something that blocked. */
export class EventLoopLag implements Disposable {
  readonly #now: () => number;
  readonly #intervalMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #lastMs: number;
  #worstMs = 0;

  /** Measures until disposed, without keeping the process alive. `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number, intervalMs = 500) {
    this.#now = now;
    this.#intervalMs = intervalMs;
    this.#lastMs = now();
    this.#timer = setInterval(() => this.sample(), intervalMs);
    Deno.unrefTimer(this.#timer);
  }

  /** Takes one measurement, as the timer does. */
  sample(): void {
    const nowMs = this.#now();
    this.#worstMs = Math.max(this.#worstMs, nowMs - this.#lastMs - this.#intervalMs);
    this.#lastMs = nowMs;
  }

  /** The worst lag since this was last asked, in milliseconds. */
  takeWorstMs(): number {
    const worstMs = this.#worstMs;
    this.#worstMs = 0;
    return worstMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
