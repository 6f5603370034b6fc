/** The idle connections of one mailbox, each under watch. The one used last is used next, so that the others may age out. */

import type { IdleWatcher, UpstreamConnection } from "./connection.ts";

/** See the module. */
export class IdleConnections {
  readonly #stack: UpstreamConnection[] = [];

  get length(): number {
    return this.#stack.length;
  }

  /** Takes a connection; `watcher` is told when it has left by itself, after `idleTimeoutMs` at the latest. */
  push(connection: UpstreamConnection, idleTimeoutMs: number, watcher: IdleWatcher): void {
    const leave = () => this.#stack.splice(this.#stack.indexOf(connection), 1);
    this.#stack.push(connection);
    connection.watch({
      onGone() {
        leave();
        watcher.onGone();
      },
      onIdleTimeout() {
        leave();
        watcher.onIdleTimeout();
      },
    }, idleTimeoutMs);
  }

  /** Gives the one that was used last, no longer watched. */
  pop(): UpstreamConnection | undefined {
    const connection = this.#stack.pop();
    connection?.unwatch();
    return connection;
  }

  /** Gives all of them, no longer watched. */
  takeAll(): UpstreamConnection[] {
    for (const connection of this.#stack) connection.unwatch();
    return this.#stack.splice(0);
  }
}
