/**
 * How many connections a provider takes of one mailbox while it refuses one that its settings allow: another program may
 * use the mailbox, too, or the provider has not noticed yet that one is gone.
 */

/** After this the settings count again; the next refusal costs one dial. */
const HOLD_MS = 60_000;

/** Belongs to one pool. */
export class ConnectionCeiling {
  readonly #now: () => number;
  #limit = Infinity;
  #untilMs = -Infinity;

  /** @param now Milliseconds on a steady clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Highest number of connections for now. */
  get limit(): number {
    return this.#now() < this.#untilMs ? this.#limit : Infinity;
  }

  /**
   * The provider has refused a connection beside `open` others, at least one.
   *
   * @returns whether this is news.
   */
  lower(open: number): boolean {
    const isNews = open < this.limit;
    this.#limit = Math.min(open, this.limit);
    this.#untilMs = this.#now() + HOLD_MS;
    return isNews;
  }

  /** The settings count again. */
  lift(): void {
    this.#untilMs = -Infinity;
  }
}
