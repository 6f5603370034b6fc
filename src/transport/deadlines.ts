/**
 * Deadlines for many connections on one timer: setting one is an addition and a store, and doesn't ask for the time, so the hot
 * path can do it for each reply and each chunk. They fire up to one tick early or late, and earlier by as long as the process
 * stood still before they were set, which timeouts of seconds and minutes don't mind.
 */

/** One deadline, set and cleared as often as its owner likes. */
export interface Deadline extends Disposable {
  /** Fires `timeoutMs` from now, unless set again or cleared before. */
  set(timeoutMs: number): void;
  clear(): void;
}

export interface DeadlinesOptions {
  /** Default: 250. */
  readonly tickMs?: number;
  readonly now?: () => number;
}

class Entry implements Deadline {
  atMs = Infinity;
  constructor(readonly owner: Deadlines, readonly expire: () => void) {}
  set(timeoutMs: number): void {
    this.atMs = this.owner.tickAtMs + timeoutMs;
  }
  clear(): void {
    this.atMs = Infinity;
  }
  [Symbol.dispose](): void {
    this.owner.remove(this);
  }
}

/** Owns the timer, which doesn't keep the process alive and runs only while there is somebody to watch. */
export class Deadlines implements Disposable {
  readonly #entries = new Set<Entry>();
  readonly #tickMs: number;
  readonly #now: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** @internal When the timer last ran, or was started. */
  tickAtMs = 0;

  constructor({ tickMs = 250, now = () => performance.now() }: DeadlinesOptions = {}) {
    this.#tickMs = tickMs;
    this.#now = now;
  }

  /** @param expire Called once for each deadline that passes; must not throw. */
  add(expire: () => void): Deadline {
    const entry = new Entry(this, expire);
    this.#entries.add(entry);
    if (this.#timer === undefined) {
      this.tickAtMs = this.#now();
      this.#timer = setInterval(() => this.sweep(), this.#tickMs);
      Deno.unrefTimer(this.#timer);
    }
    return entry;
  }

  /** @internal */
  remove(entry: Entry): void {
    this.#entries.delete(entry);
    if (this.#entries.size === 0) this.#stop();
  }

  /** Fires what has passed. */
  sweep(): void {
    const now = this.tickAtMs = this.#now();
    for (const entry of this.#entries) {
      if (entry.atMs > now) continue;
      entry.clear();
      entry.expire();
    }
  }

  [Symbol.dispose](): void {
    this.#entries.clear();
    this.#stop();
  }

  #stop(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
