/** What the clients were told, to be compared with what the provider has and the daemon logged. */

import type { LogEvent } from "../support/daemon_process.ts";
import type { TransactionRecord } from "../support/upstream_record.ts";
import { type ChaosMessage, messageIdOf } from "./chaos_message.ts";

/** How one attempt to send a message ended, as its client saw it. */
export interface Attempt {
  readonly message: ChaosMessage;
  /** Number of the daemon's process. */
  readonly incarnation: number;
  /** The whole message, its final dot included, was written. */
  sentWhole: boolean;
  /** The reply to the final dot; absent if the client read none. */
  finalReply?: string;
  /** Recipients that read 2yz. */
  acceptedRecipients: string[];
}

/** One process of the daemon. */
export interface Incarnation {
  readonly number: number;
  readonly log: readonly LogEvent[];
  readonly wasKilled: boolean;
}

/** What came of all the attempts. */
export interface Verdict {
  readonly attempts: number;
  readonly acknowledged: number;
  readonly delivered: number;
  /** Acknowledged, and not at the provider. */
  readonly lost: readonly string[];
  /** At the provider with other octets or another envelope than sent. */
  readonly altered: readonly string[];
  /** Deliveries beyond the first of a message. */
  readonly duplicates: number;
  /** Deliveries whose reply never reached the client. */
  readonly unacknowledged: number;
  /** Of these, those that neither a lost final reply, a client that had left nor a kill accounts for. */
  readonly unexplained: readonly string[];
  /** Lines of the log that say that a message's fate is unknown. */
  readonly fatesUnknown: number;
}

interface Delivery {
  readonly id: string;
  readonly transaction: TransactionRecord;
}

/** Collects attempts and judges them in the end. */
export class ChaosLedger {
  readonly attempts: Attempt[] = [];
  readonly #messages = new Map<string, ChaosMessage>();

  /** An attempt begins. */
  begin(message: ChaosMessage, incarnation: number): Attempt {
    const attempt: Attempt = { message, incarnation, sentWhole: false, acceptedRecipients: [] };
    this.#messages.set(message.id, message);
    this.attempts.push(attempt);
    return attempt;
  }

  /** Compares. @param transactions What the providers accepted. */
  judge(transactions: readonly TransactionRecord[], incarnations: readonly Incarnation[]): Verdict {
    const deliveries = transactions.map((transaction) => ({
      id: messageIdOf(transaction.body) ?? "(no identifier)",
      transaction,
    }));
    const acknowledgements = this.attempts.filter(isAcknowledged);
    const acknowledgedReplies = new Set(acknowledgements.map(keyOfAttempt));
    const open = deliveries.filter((delivery) => !acknowledgedReplies.has(keyOfDelivery(delivery)));
    const delivered = new Set(deliveries.map(keyOfDelivery));
    const { unexplained, fatesUnknown } = this.#explain(open, incarnations);
    return {
      attempts: this.attempts.length,
      acknowledged: acknowledgements.length,
      delivered: deliveries.length,
      lost: acknowledgements.filter((attempt) => !delivered.has(keyOfAttempt(attempt))).map(describeAttempt),
      altered: deliveries.filter((delivery) => !this.#isIntact(delivery)).map(keyOfDelivery),
      duplicates: deliveries.length - new Set(deliveries.map(({ id }) => id)).size,
      unacknowledged: open.length,
      unexplained: unexplained.map(keyOfDelivery),
      fatesUnknown,
    };
  }

  #isIntact({ id, transaction }: Delivery): boolean {
    const message = this.#messages.get(id);
    if (!message || transaction.reversePath !== message.from) return false;
    const isEnvelope = this.attempts.some((attempt) =>
      attempt.message === message &&
      // A client that left early has not read all the replies; the provider can't have fewer than it was told of.
      attempt.acceptedRecipients.every((path) => transaction.forwardPaths.includes(path)) &&
      transaction.forwardPaths.every((path) => message.to.includes(path))
    );
    return isEnvelope && isEqual(transaction.body, message.wire);
  }

  /** Finds a reason for each delivery of which its client doesn't know. */
  #explain(open: readonly Delivery[], incarnations: readonly Incarnation[]) {
    const passedOn = new Set<string>();
    const unknown = new Map<string, number>();
    for (const { log } of incarnations) {
      for (const { message, properties } of log) {
        if (properties.outcome === "relayed") passedOn.add(String(properties.reply));
        if (!message.includes("fate unknown")) continue;
        const account = String(properties.account);
        unknown.set(account, (unknown.get(account) ?? 0) + 1);
      }
    }
    const fatesUnknown = [...unknown.values()].reduce((sum, count) => sum + count, 0);
    const killed = new Set(incarnations.filter(({ wasKilled }) => wasKilled).map(({ number }) => number));
    const leftEarly = this.attempts.filter((attempt) =>
      attempt.sentWhole && attempt.finalReply === undefined
    );
    const unexplained = open.filter(({ id, transaction }) => {
      const silent = leftEarly.filter(({ message }) => message.id === id);
      if (silent.length > 0 && passedOn.has(transaction.finalReply ?? "")) return false;
      if (silent.some(({ incarnation }) => killed.has(incarnation))) return false;
      const left = unknown.get(transaction.reversePath) ?? 0;
      unknown.set(transaction.reversePath, left - 1);
      return left <= 0;
    });
    return { unexplained, fatesUnknown };
  }
}

/** Whether the client may forget the message. */
export function isAcknowledged({ finalReply }: Attempt): boolean {
  return finalReply?.startsWith("2") ?? false;
}

function keyOfAttempt({ message, finalReply }: Attempt): string {
  return `${message.id}: ${finalReply}`;
}

function keyOfDelivery({ id, transaction }: Delivery): string {
  return `${id}: ${transaction.finalReply}`;
}

function describeAttempt(attempt: Attempt): string {
  return `${keyOfAttempt(attempt)} (process ${attempt.incarnation})`;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
