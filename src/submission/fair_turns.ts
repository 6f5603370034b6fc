/** Turns at something that only a few may do at once, dealt out evenly among those who ask. */
export class FairTurns {
  readonly #atOnce: number;
  #taken = 0;
  /** By who asks; whoever has had a turn goes to the end. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** @param atOnce Turns at the same time. */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Runs `task` when it is the turn of `source`; a source with many tasks waiting doesn't hold up one with few. */
  async run<T>(source: string, task: () => Promise<T>): Promise<T> {
    await this.#enter(source);
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  #enter(source: string): Promise<void> {
    if (this.#taken < this.#atOnce) {
      this.#taken++;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const queue = this.#waiting.get(source);
      if (queue) queue.push(resolve);
      else this.#waiting.set(source, [resolve]);
    });
  }

  /** The turn goes on to the next source, without a moment in which a newcomer could take it. */
  #leave(): void {
    const [next] = this.#waiting;
    if (!next) return void this.#taken--;
    const [source, queue] = next;
    const proceed = queue.shift()!;
    this.#waiting.delete(source);
    if (queue.length > 0) this.#waiting.set(source, queue);
    proceed();
  }
}
