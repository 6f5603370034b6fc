/** Keeps what is known of a transaction while it runs, and tells it when it is over: to the observer and as a trace. */

import type { Reply } from "../smtp/reply.ts";
import type { Span, Tracer } from "../telemetry/tracer.ts";
import type { MailboxPool } from "../upstream/mailbox_pool.ts";
import type { TransactionObserver, TransactionOutcome } from "./transaction_record.ts";

export interface TransactionReportOptions {
  readonly pool: MailboxPool;
  readonly session: string;
  readonly client: string;
  readonly now: () => number;
  readonly observer: TransactionObserver;
  readonly tracer: Tracer;
}

/** Belongs to one transaction, which fills it in. */
export class TransactionReport {
  reversePath = "";
  /** Recipients that were accepted. */
  recipients = 0;
  refusedRecipients = 0;
  messageOctets = 0;
  finalReplyMs: number | undefined;
  /** The message was wholly sent and the reply never came. */
  outcomeUnknown = false;
  readonly #options: TransactionReportOptions;
  readonly #startedAtMs: number;
  readonly #span: Span;
  #upstreamSpan: Span | undefined;
  #upstream: string | undefined;
  #poolWaitMs = 0;

  constructor(options: TransactionReportOptions) {
    this.#options = options;
    this.#startedAtMs = options.now();
    const { tracer, session, client, pool } = options;
    const attributes = tracer.isRecording ? { session, client, account: pool.mailbox.email } : undefined;
    this.#span = tracer.start("transaction", attributes);
  }

  /** Whether the steps of a transaction are told one by one. */
  get isTraced(): boolean {
    return this.#options.tracer.isRecording;
  }

  /** Times the wait for a connection, dial included. */
  async measureWait<T>(wait: () => Promise<T>): Promise<T> {
    const { now } = this.#options;
    const span = this.#span.child("pool wait");
    const from = now();
    try {
      return await span.run(wait);
    } finally {
      this.#poolWaitMs = now() - from;
      span.end();
    }
  }

  /** The transaction goes on over a connection to this address. */
  beginUpstream(address: string): void {
    this.#upstream = address;
    this.#upstreamSpan ??= this.#span.child("upstream");
  }

  /** It is over: for good, and once. */
  end(outcome: TransactionOutcome, reply: Reply | undefined): void {
    this.#endTrace(outcome, reply);
    const { session, client, pool, now, observer } = this.#options;
    observer({
      session,
      client,
      account: pool.mailbox.email,
      reversePath: this.reversePath,
      recipients: this.recipients,
      refusedRecipients: this.refusedRecipients,
      messageOctets: this.messageOctets,
      outcome,
      ...(reply && { reply }),
      ...(this.#upstream !== undefined && { upstream: this.#upstream }),
      poolWaitMs: this.#poolWaitMs,
      ...(this.finalReplyMs !== undefined && { finalReplyMs: this.finalReplyMs }),
      durationMs: now() - this.#startedAtMs,
      ...(this.outcomeUnknown && { outcomeUnknown: true as const }),
    });
  }

  #endTrace(outcome: TransactionOutcome, reply: Reply | undefined): void {
    if (this.#options.tracer.isRecording) {
      this.#span.set({ outcome, octets: this.messageOctets, recipients: this.recipients });
      if (outcome === "deferred" || outcome === "rejected") this.#span.fail(reply?.text() ?? outcome);
    }
    this.#upstreamSpan?.end();
    this.#span.end();
  }
}
