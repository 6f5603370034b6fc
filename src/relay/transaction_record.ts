/** What is known of a transaction when it is over: metadata for the log, the metrics and the page. Never mail content. */

import type { Reply } from "../smtp/reply.ts";

/**
 * `relayed`: the provider took the message. `rejected`: it, or a limit, refused it for good. `deferred`: the client was
 * told to come again. `abandoned`: the client gave up (RSET, QUIT, gone). `dry-run`: ended as asked for before DATA.
 */
export type TransactionOutcome = "relayed" | "rejected" | "deferred" | "abandoned" | "dry-run";

export interface TransactionRecord {
  readonly session: string;
  readonly account: string;
  readonly client: string;
  readonly reversePath: string;
  readonly recipients: number;
  readonly refusedRecipients: number;
  readonly messageOctets: number;
  readonly outcome: TransactionOutcome;
  /** The reply that decided the outcome. */
  readonly reply?: Reply;
  /** The provider host's address. */
  readonly upstream?: string;
  /** Wait for a connection, dial included. */
  readonly poolWaitMs: number;
  /** From the final dot to the provider's reply. */
  readonly finalReplyMs?: number;
  readonly durationMs: number;
  /** The message was wholly sent and the reply never came: the client will send it again, and it may arrive twice. */
  readonly outcomeUnknown?: true;
}

/** Told of each transaction when it is over. Must not throw. */
export type TransactionObserver = (record: TransactionRecord) => void;
