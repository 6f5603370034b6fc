/**
 * Keeps a slow client from starving a mailbox: a transaction holds one of the few connections that the provider allows, and
 * while others wait for it, a client that is silent or crawls has to give it back.
 */

import type { Transaction } from "../relay/transaction.ts";
import type { Deadline } from "../transport/deadlines.ts";
import { REPLIES } from "./replies.ts";
import type { Session } from "./session.ts";

const CHECK_INTERVAL_MS = 1_000;
const MAX_SILENCE_MS = 30_000;
const WINDOW_MS = 60_000;
const MIN_OCTETS_A_WINDOW = 60 * 1024;

/** Watches one transaction, from MAIL to its end. */
export class SlowClientGuard implements Disposable {
  readonly #transaction: Transaction;
  readonly #session: Session;
  readonly #deadline: Deadline;
  #octets = 0;
  #lastOctetsMs: number;
  #windowStartMs = Infinity;

  constructor(transaction: Transaction, session: Session) {
    this.#transaction = transaction;
    this.#session = session;
    this.#lastOctetsMs = session.context.now();
    this.#deadline = session.context.deadlines.add(() => this.#check());
    this.#deadline.set(CHECK_INTERVAL_MS);
  }

  /** The client may send mail data now, and is measured by its rate. */
  startData(): void {
    this.#octets = 0;
    this.#windowStartMs = this.#lastOctetsMs = this.#session.context.now();
  }

  noteOctets(octets: number): void {
    this.#octets += octets;
    this.#lastOctetsMs = this.#session.context.now();
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
  }

  #check(): void {
    if (this.#transaction.isOver) return this[Symbol.dispose]();
    const now = this.#session.context.now();
    const isSilent = now - this.#lastOctetsMs >= MAX_SILENCE_MS;
    const hasWindow = now - this.#windowStartMs >= WINDOW_MS;
    const crawls = hasWindow && this.#octets < MIN_OCTETS_A_WINDOW;
    if (hasWindow) {
      this.#windowStartMs = now;
      this.#octets = 0;
    }
    if ((isSilent || crawls) && this.#transaction.isBlocking && !this.#transaction.awaitsFinalReply) {
      this.#session.end(REPLIES.tooSlow);
      return this[Symbol.dispose]();
    }
    this.#deadline.set(CHECK_INTERVAL_MS);
  }
}
