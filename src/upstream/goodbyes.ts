/** Connections on their way out: each gets QUIT (RFC 5321 §4.1.1.10) and a moment to answer it, all at the same time. */

import type { Park, UpstreamConnection } from "./connection.ts";

/** However many connections close at once, each is given this long to answer QUIT. */
const QUIT_TIMEOUT_MS = 500;

/** See the module. */
export class Goodbyes {
  readonly #underWay = new Map<UpstreamConnection, Promise<void>>();

  /** Ends `connection`; until `onClosed` it counts, for the provider as for us. */
  say(connection: UpstreamConnection, onClosed: () => void, park?: Park): void {
    const goodbye = connection.quit(QUIT_TIMEOUT_MS, park).then(() => {
      this.#underWay.delete(connection);
      onClosed();
    });
    this.#underWay.set(connection, goodbye);
  }

  /** How many have not ended yet. */
  get count(): number {
    return this.#underWay.size;
  }

  has(connection: UpstreamConnection): boolean {
    return this.#underWay.has(connection);
  }

  /** Resolves when all have ended, 500 ms after the last began at the latest. */
  async allSaid(): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
  }
}
