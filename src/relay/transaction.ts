/**
 * One transaction, cut through: its commands go to the provider as they come, in the client's groups, and the replies that
 * come back are the provider's.
 */

import { Reply } from "../smtp/reply.ts";
import type { LineReader } from "../smtp/line_reader.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import { StreamClosedError } from "../transport/byte_stream.ts";
import type { MailboxPool } from "../upstream/mailbox_pool.ts";
import { ClientGoneError, type DataRelayOptions, relayMailData } from "./data_relay.ts";
import { lacksSignIn, relayed, replyForError } from "./reply_for_error.ts";
import { NO_RECIPIENTS, NO_RECIPIENTS_NOW, NO_TRANSACTION, type Step } from "./step.ts";
import type { TransactionObserver, TransactionOutcome } from "./transaction_record.ts";
import { TransactionReport } from "./transaction_report.ts";
import { UpstreamPath } from "./upstream_path.ts";

/** What the session tells of itself. */
export interface TransactionContext {
  readonly session: string;
  readonly client: string;
  /** Ends waiting for a connection or a token; by `ClientGoneError` when it is the client that has ended it. */
  readonly signal: AbortSignal;
  /** Told that it has to wait for a connection. */
  readonly onWait?: () => void;
}

export interface TransactionOptions extends TransactionContext {
  readonly pool: MailboxPool;
  readonly now: () => number;
  readonly observer: TransactionObserver;
  readonly tracer: Tracer;
}

const ENDED = Reply.of(451, "4.3.2", "The session ended before the provider answered, try again");
const DEFECT = Reply.of(451, "4.3.0", "Internal error, try again later");

/** Begun by MAIL; over after the final reply, `abandon`, or a failure before any recipient. */
export class Transaction {
  readonly #options: TransactionOptions;
  readonly #report: TransactionReport;
  readonly #path: UpstreamPath;
  #queue: Step[] = [];
  /** MAIL and the recipients that the client has been told are accepted. */
  #accepted: Step[] = [];
  /** Why it can't go on; every further command reads this. */
  #failure: Reply | undefined;
  #isOver = false;
  /** Recipients that the account's day has room for. */
  #admitted = 0;
  #hasDeferredRecipients = false;

  constructor(options: TransactionOptions) {
    this.#options = options;
    this.#report = new TransactionReport(options);
    this.#path = new UpstreamPath({ ...options, report: this.#report });
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

  /** Why it can't go on, if so. */
  get failure(): Reply | undefined {
    return this.#failure;
  }

  /** Whether the provider has read the whole message and owes its reply. */
  get awaitsFinalReply(): boolean {
    return this.#path.awaitsFinalReply;
  }

  /** Whether it has a connection. */
  get isOpen(): boolean {
    return this.#path.isOpen;
  }

  /** Whether it has none, in an account whose transactions wait for one. */
  get isQueued(): boolean {
    return !this.#path.isOpen && this.#options.pool.hasWaiters;
  }

  /** Whether it holds a connection that other transactions of the account wait for. */
  get isBlocking(): boolean {
    return this.#path.isBlocking;
  }

  /** Adds a command to the group; its reply is there after `flush`. */
  queue(step: Step): void {
    this.#queue.push(step);
  }

  /** Sends the group and fills in the replies. Rejects only for a defect. */
  async flush(): Promise<void> {
    const steps = this.#queue;
    if (steps.length === 0) return;
    this.#queue = [];
    if (this.#failure === undefined) {
      try {
        if (!this.#path.isOpen) await this.#path.open();
        await this.#path.send(steps, this.#accepted);
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
      await this.#options.pool.rates.admitRecipient();
      this.#admitted++;
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
    try {
      const { octets, refusal } = await relayMailData(reader, this.#path.connection, {
        ...options,
        // The connection is in the middle of a message that will never end: its place is free for others.
        onRefusal: () => this.#path.drop(),
        onEnd: () => this.#path.noteEndOfData(),
      });
      this.#report.messageOctets = octets;
      if (refusal) {
        if (refusal.said) this.#options.pool.noteReply(refusal.said);
        this.#report.outcomeUnknown = refusal.isLost && this.#path.awaitsFinalReply;
        return this.#refuse(this.#options.signal.aborted ? ENDED : refusal.reply);
      }
      return await this.#readFinalReply();
    } catch (error) {
      this.#path.drop();
      if (error instanceof StreamClosedError) this.#finish("deferred", ENDED);
      else this.#finish("abandoned");
      throw error;
    }
  }

  /** Ends it as the dry run asks for; the recipients have been checked, the provider forgets them at the next RSET. */
  async endDryRun(reply: Reply): Promise<void> {
    this.#path.giveBack();
    this.#finish("dry-run", reply);
    await this.#path.uncount();
  }

  /** The client gave up: RSET, EHLO, QUIT, or it is gone. */
  async abandon(): Promise<void> {
    if (this.#isOver) return;
    this.#path.giveBack();
    const reply = this.#failure ?? (this.#options.signal.aborted ? ENDED : undefined);
    this.#finish(reply ? "deferred" : "abandoned", reply);
    await this.#path.uncount();
  }

  /** Drops the upstream connection now, whatever is under way on it. */
  cut(): void {
    this.#path.cut();
  }

  /** Draws the conclusions from a group's replies. */
  async #settle(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      const reply = step.reply!;
      if (this.#path.isOpen) {
        this.#options.pool.noteReply(reply, step.verb === "RCPT" ? "recipient" : "account");
      }
      if (step.verb === "MAIL") {
        this.#report.reversePath = step.mail.reversePath;
        if (!reply.isPositive) return await this.#endAtMail(reply, steps);
        this.#accepted = [step];
      } else if (step.verb === "RCPT") {
        if (reply.isPositive) {
          this.#report.recipients++;
          this.#accepted.push(step);
        } else {
          this.#report.refusedRecipients++;
          this.#admitted--;
          this.#options.pool.rates.releaseRecipients(1);
          if (reply.isTransient) this.#hasDeferredRecipients = true;
        }
      } else if (reply.code !== 354) {
        // The provider's no to a message without recipients is not for good when they were only deferred.
        const isPassing = this.#report.recipients === 0 && this.#hasDeferredRecipients && reply.isPermanent;
        if (isPassing) step.reply = NO_RECIPIENTS_NOW;
        return await this.#endEarly(step.reply!);
      } else if (this.#report.recipients === 0) {
        // The provider takes the message all the same, and would send it to nobody.
        step.reply = this.#withoutRecipients;
        await this.#path.sendNothing();
        await this.#endEarly(step.reply);
      }
    }
  }

  /** MAIL was refused. A provider that says 354 to the same group's DATA all the same waits for a message now. */
  async #endAtMail(reply: Reply, steps: readonly Step[]): Promise<void> {
    const data = steps.find((step) => step.reply?.code === 354);
    if (data) data.reply = NO_TRANSACTION;
    await this.#endEarly(reply);
  }

  /** MAIL or DATA was refused: nothing is left of the transaction. */
  async #endEarly(reply: Reply): Promise<void> {
    this.#path.giveBack();
    this.#finish(reply.isPermanent ? "rejected" : "deferred", reply);
    await this.#path.uncount();
  }

  async #readFinalReply(): Promise<Reply> {
    const { now, pool } = this.#options;
    const from = now();
    let reply: Reply;
    try {
      reply = await this.#path.readFinalReply();
    } catch (error) {
      this.#report.outcomeUnknown = true;
      return this.#refuse(this.#replyFor(error));
    }
    this.#report.finalReplyMs = now() - from;
    pool.noteReply(reply);
    if (lacksSignIn(reply)) return this.#refuse(relayed(reply));
    this.#path.giveBack();
    if (reply.isPositive) await pool.rates.countRecipients(this.#report.recipients);
    const answer = relayed(reply);
    this.#finish(answer.isPositive ? "relayed" : answer.isPermanent ? "rejected" : "deferred", answer);
    return answer;
  }

  /** The message did not go out whole; the connection is in the middle of it and can't be used again. */
  #refuse(reply: Reply): Reply {
    this.#path.drop();
    this.#finish(reply.isPermanent ? "rejected" : "deferred", reply);
    return reply;
  }

  #fail(error: unknown, steps: readonly Step[]): void {
    this.#path.drop();
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

  /** A connection that was lost because the session ends was not the provider's doing. */
  #knownReplyFor(error: unknown): Reply | undefined {
    return this.#options.signal.aborted ? ENDED : replyForError(error);
  }

  #finish(outcome: TransactionOutcome, reply?: Reply): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { pool, signal } = this.#options;
    pool.rates.releaseRecipients(this.#admitted);
    if (signal.reason instanceof ClientGoneError) this.#report.end("abandoned", undefined);
    else this.#report.end(outcome, reply);
  }
}
