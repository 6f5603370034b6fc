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
/** A client that awaits each reply sends no more than a line in a round trip: a command a second is no slow pace. */
const OCTETS_FOR_A_COMMAND = 1024;

/** Watches one transaction, from MAIL to its end. */
export class SlowClientGuard implements Disposable {
  readonly #transaction: Transaction;
  readonly #session: Session;
  readonly #deadline: Deadline;
  #checkedAtMs: number;
  /** Since the last sign of life, as far as the session waited for one. */
  #silentMs = 0;
  /** Waited for the client, in this window. */
  #waitedMs = 0;
  #octets = 0;
  /** As the last whole window has shown. */
  #crawls = false;
  #isInData = false;

  constructor(transaction: Transaction, session: Session) {
    this.#transaction = transaction;
    this.#session = session;
    this.#checkedAtMs = session.context.now();
    this.#deadline = session.context.deadlines.add(() => this.#check());
    this.#deadline.set(CHECK_INTERVAL_MS);
  }

  /** The client may send mail data now, and is measured anew, by its octets alone. */
  startData(): void {
    this.#isInData = true;
    this.#crawls = false;
    this.#waitedMs = this.#octets = this.#silentMs = 0;
  }

  /** Octets of mail data, or of one command before. */
  noteOctets(octets: number): void {
    this.#octets += this.#isInData ? octets : Math.max(octets, OCTETS_FOR_A_COMMAND);
    this.#silentMs = 0;
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
  }

  #check(): void {
    if (this.#transaction.isOver) return this[Symbol.dispose]();
    this.#measure();
    if (this.#waitedMs >= WINDOW_MS) {
      this.#crawls = this.#octets < MIN_OCTETS_A_WINDOW;
      this.#waitedMs = this.#octets = 0;
    }
    const isSlow = this.#crawls || this.#silentMs >= MAX_SILENCE_MS;
    // A client that waits for the provider now, slow as it may have been, keeps its place: it could read no truer reply.
    if (isSlow && this.#session.channel.isWaiting && this.#transaction.isBlocking) {
      this.#session.end(REPLIES.tooSlow);
      return this[Symbol.dispose]();
    }
    this.#deadline.set(CHECK_INTERVAL_MS);
  }

  /** Only time in which the session waits for its client counts: what the provider takes is not the client's doing. */
  #measure(): void {
    const now = this.#session.context.now();
    const elapsedMs = now - this.#checkedAtMs;
    this.#checkedAtMs = now;
    if (!this.#session.channel.isWaiting) return;
    this.#silentMs += elapsedMs;
    this.#waitedMs += elapsedMs;
  }
}
