/**
 * One transaction, cut through: its commands go to the provider as they come, in the client's groups, and the replies that
 * come back are the provider's. It holds one upstream connection from MAIL to the final reply.
 */

import { Reply } from "../smtp/reply.ts";
import type { LineReader } from "../smtp/line_reader.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import type { Lease } from "../upstream/lease.ts";
import type { MailboxPool } from "../upstream/mailbox_pool.ts";
import { UpstreamLostError } from "../upstream/upstream_error.ts";
import { type DataRelayOptions, relayMailData } from "./data_relay.ts";
import { lacksSignIn, relayed, replyForError } from "./reply_for_error.ts";
import {
  formatStep,
  isOutOfStep,
  NO_RECIPIENTS,
  NO_RECIPIENTS_NOW,
  NO_TRANSACTION,
  type Step,
  unsupported,
} from "./step.ts";
import type { TransactionObserver, TransactionOutcome } from "./transaction_record.ts";
import { TransactionReport } from "./transaction_report.ts";

export interface TransactionOptions {
  readonly pool: MailboxPool;
  readonly session: string;
  readonly client: string;
  /** Ends waiting for a connection or a token. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly observer: TransactionObserver;
  readonly tracer: Tracer;
}

const SHUTTING_DOWN = Reply.of(451, "4.3.2", "Service is shutting down, try again");
const DEFECT = Reply.of(451, "4.3.0", "Internal error, try again later");
const LONE_DOT = new TextEncoder().encode(".\r\n");

/** Begun by MAIL; over after the final reply, `abandon`, or a failure before any recipient. */
export class Transaction {
  readonly #options: TransactionOptions;
  readonly #report: TransactionReport;
  #queue: Step[] = [];
  /** MAIL and the recipients that the client has been told are accepted: what a replay must repeat. */
  #accepted: Step[] = [];
  #lease: Lease | undefined;
  #replayed = false;
  /** Why it can't go on; every further command reads this. */
  #failure: Reply | undefined;
  #isOver = false;
  #isSendingData = false;
  #awaitsFinalReply = false;
  #isCut = false;
  #isBeginning = false;
  #hasDeferredRecipients = false;

  constructor(options: TransactionOptions) {
    this.#options = options;
    this.#report = new TransactionReport(options);
  }

  /** Whether MAIL has to come again before anything else. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Recipients that were accepted. */
  get recipients(): number {
    return this.#report.recipients;
  }

  /** The answer to DATA while no recipient was accepted and none is in the queue. */
  get dataRefusal(): Reply | undefined {
    const hasRecipients = this.#report.recipients > 0 || this.#queue.some((step) => step.verb === "RCPT");
    return hasRecipients ? undefined : this.#withoutRecipients;
  }

  /** Whether it waits for a connection, and so could be given up without a trace. */
  get waitsForConnection(): boolean {
    return this.#isBeginning;
  }

  /** Why it can't go on, if so. */
  get failure(): Reply | undefined {
    return this.#failure;
  }

  /** Whether the provider has read the whole message and owes its reply. */
  get awaitsFinalReply(): boolean {
    return this.#awaitsFinalReply;
  }

  /** Whether it holds a connection that other transactions of the account wait for. */
  get isBlocking(): boolean {
    return this.#lease !== undefined && this.#options.pool.hasWaiters;
  }

  /** Adds a command to the group; its reply is there after `flush`. */
  queue(step: Step): void {
    this.#queue.push(step);
  }

  /** Sends the group and fills in the replies. Rejects only when cancelled. */
  async flush(): Promise<void> {
    const steps = this.#queue;
    if (steps.length === 0) return;
    this.#queue = [];
    if (this.#failure === undefined) {
      try {
        if (!this.#lease) await this.#begin();
        if (!this.#refuseUnsupported(steps)) await this.#send(steps);
      } catch (error) {
        this.#fail(error, steps);
      }
    }
    for (const step of steps) step.reply ??= this.#failure ?? NO_TRANSACTION;
    await this.#settle(steps);
  }

  /**
   * Whether one more recipient may be named.
   *
   * @returns the refusal, if not.
   */
  async admitRecipient(): Promise<Reply | undefined> {
    const { recipientsPerMessage = Infinity } = this.#options.pool.mailbox.provider.limits;
    const queued = this.#queue.filter((step) => step.verb === "RCPT").length;
    if (this.#report.recipients + queued >= recipientsPerMessage) {
      this.#hasDeferredRecipients = true;
      return Reply.of(
        452,
        "4.5.3",
        `Too many recipients: the provider takes ${recipientsPerMessage} a message`,
      );
    }
    try {
      await this.#options.pool.rates.admitRecipients(this.#report.recipients + queued + 1);
      return undefined;
    } catch (error) {
      this.#hasDeferredRecipients = true;
      return this.#replyFor(error);
    }
  }

  /**
   * Streams the message through, after the client has read 354.
   *
   * @returns the reply to the final dot: the provider's, or why it could not be had.
   * @throws What reading from the client throws; the connection is dropped before the final dot then.
   */
  async relayData(reader: LineReader, options: DataRelayOptions): Promise<Reply> {
    const lease = this.#lease!;
    this.#isSendingData = true;
    try {
      const { octets, refusal } = await relayMailData(reader, lease.connection, {
        ...options,
        // The connection is in the middle of a message that will never end: its place is free for others.
        onRefusal: () => this.#drop(),
      });
      this.#report.messageOctets = octets;
      if (refusal) return this.#refuse(refusal);
      return await this.#readFinalReply(lease);
    } catch (error) {
      this.#drop();
      if (this.#isCut) this.#finish("deferred", SHUTTING_DOWN);
      else this.#finish("abandoned");
      throw error;
    } finally {
      this.#isSendingData = false;
    }
  }

  /** Ends it as the dry run asks for; the recipients have been checked, the provider forgets them at the next RSET. */
  endDryRun(reply: Reply): void {
    this.#lease?.release("needs-reset");
    this.#lease = undefined;
    this.#finish("dry-run", reply);
  }

  /** The client gave up: RSET, EHLO, QUIT, or it is gone. */
  abandon(): void {
    if (this.#isOver) return;
    if (this.#isSendingData) this.#lease?.[Symbol.dispose]();
    else this.#lease?.release("needs-reset");
    this.#lease = undefined;
    this.#finish(this.#failure ? "deferred" : "abandoned", this.#failure);
  }

  /** Drops the upstream connection now, whatever is under way on it. */
  cut(): void {
    this.#isCut = true;
    this.#lease?.connection.close();
  }

  async #begin(): Promise<void> {
    const { pool, signal } = this.#options;
    this.#isBeginning = true;
    try {
      this.#lease = await this.#report.measureWait(async () => {
        await pool.rates.countMessage(signal);
        return await pool.acquire(signal);
      });
    } finally {
      this.#isBeginning = false;
    }
    this.#report.beginUpstream(this.#lease.connection.remoteAddress);
  }

  /** Sends the steps; on a connection that was used before and is dead now, everything once more on a fresh one. */
  async #send(steps: readonly Step[]): Promise<void> {
    const lease = this.#lease!;
    try {
      await this.#exchange(steps);
    } catch (error) {
      if (!(error instanceof UpstreamLostError) || !lease.isReused || this.#replayed) throw error;
      this.#replayed = true;
      this.#lease = undefined;
      this.#lease = await this.#options.pool.renew(lease, this.#options.signal);
      this.#report.beginUpstream(this.#lease.connection.remoteAddress);
      await this.#exchange(steps, this.#accepted);
    }
  }

  async #exchange(steps: readonly Step[], replayed: readonly Step[] = []): Promise<void> {
    const { connection } = this.#lease!;
    const all = [...replayed, ...steps];
    const repeated = replayed.length;
    const offers = (extension: string) => connection.extensions.has(extension);
    let misstep: Reply | undefined;
    try {
      await connection.exchange(all.map((step) => formatStep(step, offers)), (index, reply) => {
        const step = all[index]!;
        if (index >= repeated) step.reply = reply;
        if (isOutOfStep(step, reply) || (index < repeated && !reply.isPositive)) misstep ??= reply;
      });
    } catch (error) {
      if (misstep === undefined || !(error instanceof UpstreamLostError)) throw error;
    }
    if (misstep === undefined) return;
    for (const step of steps) delete step.reply;
    // A used connection may say 421 because it idled for too long; on a fresh one it is meant.
    if (!this.#lease!.isReused) this.#options.pool.noteReply(misstep);
    throw new UpstreamLostError("the transaction", `the provider answered ${misstep.text()}`);
  }

  /** What the connection can't carry is refused before it is sent. */
  #refuseUnsupported([first]: readonly Step[]): boolean {
    if (first?.verb !== "MAIL") return false;
    const refusal = unsupported(first.mail, this.#lease!.connection.extensions);
    if (refusal) first.reply = refusal;
    return refusal !== undefined;
  }

  /** Draws the conclusions from a group's replies. */
  async #settle(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      const reply = step.reply!;
      if (this.#lease) this.#options.pool.noteReply(reply);
      if (step.verb === "MAIL") {
        this.#report.reversePath = step.mail.reversePath;
        if (!reply.isPositive) return this.#endAtMail(reply, steps);
        this.#accepted = [step];
      } else if (step.verb === "RCPT") {
        if (reply.isPositive) {
          this.#report.recipients++;
          this.#accepted.push(step);
        } else {
          this.#report.refusedRecipients++;
          if (reply.isTransient) this.#hasDeferredRecipients = true;
        }
      } else if (reply.code !== 354) {
        return this.#endEarly(reply);
      } else if (this.#report.recipients === 0) {
        await this.#sendNothing(step);
      }
    }
  }

  /** The group's DATA was accepted and none of its recipients: RFC 2920 §3.1 asks for a lone dot then. */
  async #sendNothing(step: Step): Promise<void> {
    const { connection } = this.#lease!;
    const reply = step.reply = this.#withoutRecipients;
    try {
      await connection.write(LONE_DOT, "DATA");
      await connection.readReply("DATA");
      this.#endEarly(reply);
    } catch (error) {
      if (!(error instanceof UpstreamLostError)) throw error;
      this.#refuse(reply);
    }
  }

  /** MAIL was refused. A provider that says 354 to the same group's DATA all the same waits for a message now. */
  #endAtMail(reply: Reply, steps: readonly Step[]): void {
    const data = steps.find((step) => step.reply?.code === 354);
    if (!data) return this.#endEarly(reply);
    data.reply = NO_TRANSACTION;
    this.#refuse(reply);
  }

  /** MAIL or DATA was refused: nothing is left of the transaction. */
  #endEarly(reply: Reply): void {
    this.#lease?.release(this.#accepted.length > 0 ? "needs-reset" : "clean");
    this.#lease = undefined;
    this.#finish(reply.isPermanent ? "rejected" : "deferred", reply);
  }

  async #readFinalReply(lease: Lease): Promise<Reply> {
    const { now, pool } = this.#options;
    const from = now();
    let reply: Reply;
    this.#awaitsFinalReply = true;
    try {
      reply = await lease.connection.readFinalReply();
      if (reply.code >= 300 && reply.code < 400) {
        throw new UpstreamLostError("the reply to mail data", `the provider answered ${reply.text()}`);
      }
    } catch (error) {
      this.#report.outcomeUnknown = true;
      return this.#refuse(this.#replyFor(error));
    } finally {
      this.#awaitsFinalReply = false;
    }
    this.#report.finalReplyMs = now() - from;
    pool.noteReply(reply);
    if (lacksSignIn(reply)) return this.#refuse(relayed(reply));
    this.#lease = undefined;
    lease.release("clean");
    if (reply.isPositive) await pool.rates.countRecipients(this.#report.recipients);
    const answer = relayed(reply);
    this.#finish(answer.isPositive ? "relayed" : answer.isPermanent ? "rejected" : "deferred", answer);
    return answer;
  }

  /** The message did not go out whole; the connection is in the middle of it and can't be used again. */
  #refuse(reply: Reply): Reply {
    this.#drop();
    this.#finish(reply.isPermanent ? "rejected" : "deferred", reply);
    return reply;
  }

  #drop(): void {
    this.#lease?.[Symbol.dispose]();
    this.#lease = undefined;
  }

  #fail(error: unknown, steps: readonly Step[]): void {
    this.#drop();
    this.#failure = this.#knownReplyFor(error) ?? DEFECT;
    // The connection and what it agreed to are gone, so nothing of this group counts as accepted.
    for (const step of steps) step.reply = this.#failure;
    if (this.#failure === DEFECT) throw error;
  }

  get #withoutRecipients(): Reply {
    return this.#failure ?? (this.#hasDeferredRecipients ? NO_RECIPIENTS_NOW : NO_RECIPIENTS);
  }

  #replyFor(error: unknown): Reply {
    const reply = this.#knownReplyFor(error);
    if (reply) return reply;
    throw error;
  }

  #knownReplyFor(error: unknown): Reply | undefined {
    return replyForError(error) ?? (this.#options.signal.aborted ? SHUTTING_DOWN : undefined);
  }

  #finish(outcome: TransactionOutcome, reply?: Reply): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#report.end(outcome, reply);
  }
}
