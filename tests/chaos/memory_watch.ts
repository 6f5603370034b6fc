/** The most resident memory that a process had while it was watched. */

import { residentOctets } from "../bench/resident_memory.ts";

/** Samples until it is disposed. */
export class MemoryWatch implements AsyncDisposable {
  readonly #pid: number;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;
  #highestOctets = 0;

  /** @param pid The process; it has to outlive the watch. */
  constructor(pid: number) {
    this.#pid = pid;
    this.#watching = this.#watch();
  }

  /** The most that was seen. */
  get highestOctets(): number {
    return this.#highestOctets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    do {
      this.#highestOctets = Math.max(this.#highestOctets, await residentOctets(this.#pid));
      await pause(signal);
    } while (!signal.aborted);
  }
}

const sampleIntervalMs = 100;

function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) return Promise.resolve();
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, sampleIntervalMs);
  signal.addEventListener("abort", end, { once: true });
  return promise;
}
