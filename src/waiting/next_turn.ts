/** Giving others their turn: a socket that always has something to read would keep the event loop for itself. */

import { setImmediate } from "node:timers";

/** Resolves when the event loop has been round once, so that other sockets, timers and signals were served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
