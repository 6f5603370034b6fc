/** A connection in somebody's hands. */

import type { UpstreamConnection } from "./connection.ts";

/** How a connection comes back. */
export type ReturnState = "clean" | "needs-reset" | "broken";

/** Disposing a lease throws the connection away, unless it was handed back in a known state before. */
export class Lease implements Disposable {
  readonly connection: UpstreamConnection;
  /** Whether the connection was open before this lease, used or warmed up, and so may have died unnoticed. */
  readonly isReused: boolean;
  readonly #giveBack: (connection: UpstreamConnection, state: ReturnState) => void;
  #isOpen = true;

  constructor(
    connection: UpstreamConnection,
    giveBack: (connection: UpstreamConnection, state: ReturnState) => void,
  ) {
    this.connection = connection;
    this.isReused = connection.transactions > 0 || connection.hasIdled;
    connection.transactions++;
    this.#giveBack = giveBack;
  }

  /** Hands the connection back after a transaction that ended in a known state; `needs-reset` when it was abandoned. */
  release(state: "clean" | "needs-reset"): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#giveBack(this.connection, state);
  }

  /** Gives up the connection but not its place in the pool, for `MailboxPool.renew`. */
  surrender(): void {
    this.#isOpen = false;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#giveBack(this.connection, "broken");
  }
}
