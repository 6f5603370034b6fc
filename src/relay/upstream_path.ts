/**
 * The way upstream of one transaction: the connection that it holds from MAIL to the final reply, the replay on a fresh one, and in
 * what state the connection may be given back.
 */

import { Reply } from "../smtp/reply.ts";
import { saysConnectionIsSpent } from "../upstream/diagnosis.ts";
import type { Lease, ReturnState } from "../upstream/lease.ts";
import type { MailboxPool } from "../upstream/mailbox_pool.ts";
import type { MessageCount } from "../upstream/rates.ts";
import type { UpstreamConnection } from "../upstream/connection.ts";
import { UpstreamLostError } from "../upstream/upstream_error.ts";
import { formatStep, isOutOfStep, type Step, unsupported } from "./step.ts";
import type { TransactionReport } from "./transaction_report.ts";

export interface UpstreamPathOptions {
  readonly pool: MailboxPool;
  /** Ends waiting for a connection or a token. */
  readonly signal: AbortSignal;
  /** Told that it has to wait for a connection. */
  readonly onWait?: () => void;
  readonly report: TransactionReport;
}

const LONE_DOT = new TextEncoder().encode(".\r\n");

/** A yes to mail data: 250, or another of the mail system's by its first two digits (RFC 5321 §4.2.1); not 220 or 221. */
function isAcceptance({ code }: Reply): boolean {
  return code === 200 || (code >= 250 && code < 260);
}

/** Belongs to one transaction. */
export class UpstreamPath {
  readonly #options: UpstreamPathOptions;
  #lease: Lease | undefined;
  /** How the connection has to be given back, if that were now: `broken` while a reply is owed, or a message has begun. */
  #standing: ReturnState = "clean";
  #wasReplayed = false;
  #count: MessageCount | undefined;
  #isCut = false;
  #awaitsFinalReply = false;

  constructor(options: UpstreamPathOptions) {
    this.#options = options;
  }

  /** Whether it holds a connection. */
  get isOpen(): boolean {
    return this.#lease !== undefined;
  }

  /** Whether the whole message is on its way to the provider, which owes its reply. */
  get awaitsFinalReply(): boolean {
    return this.#awaitsFinalReply;
  }

  /** The end of the message is about to be written. */
  noteEndOfData(): void {
    this.#awaitsFinalReply = true;
  }

  /** Whether it holds a connection that other transactions of the account wait for. */
  get isBlocking(): boolean {
    return this.#lease !== undefined && this.#options.pool.hasWaiters;
  }

  /**
   * Leases a connection, as soon as the account's rates allow a message.
   *
   * @throws What `MailboxRates.countMessage` and `MailboxPool.acquire` throw.
   */
  async open(): Promise<void> {
    const { pool, signal, report, onWait } = this.#options;
    // The steps of a wait cost a message on its way through 6 % of its processor time, and nearly none has to wait.
    const needsSteps = report.isTraced || pool.rates.countsMessages;
    const idle = needsSteps ? undefined : pool.acquireIdle(signal);
    if (idle) return this.#take(idle);
    onWait?.();
    await this.#hold(() =>
      report.measureWait(async () => {
        return await pool.acquire(signal, async () => {
          this.#count = await pool.rates.countMessage(signal);
        });
      })
    );
  }

  /**
   * Sends steps as one group and fills in their replies; on a connection that was used before and is dead now, everything once
   * more on a fresh one.
   *
   * @param accepted Steps whose positive reply the client has read: what a replay must repeat.
   * @throws {UpstreamLostError} When the connection broke or answers out of step; what `MailboxPool.renew` throws.
   */
  async send(steps: readonly Step[], accepted: readonly Step[]): Promise<void> {
    const lease = this.#lease!;
    try {
      await this.#exchange(steps, []);
    } catch (error) {
      if (!(error instanceof UpstreamLostError) || !lease.isReused || this.#wasReplayed) throw error;
      this.#wasReplayed = true;
      this.#lease = undefined;
      await this.#hold(() => this.#options.pool.renew(lease, this.#options.signal));
      await this.#exchange(steps, accepted);
    }
  }

  /** What mail data are written to, once the provider has said 354. */
  get connection(): UpstreamConnection {
    return this.#lease!.connection;
  }

  /** Ends a message that has no recipients with a lone dot (RFC 2920 §3.1). Does not reject when the connection is lost on the way. */
  async sendNothing(): Promise<void> {
    try {
      await this.connection.write(LONE_DOT, "DATA");
      await this.connection.readReply("DATA");
      this.#standing = "needs-reset";
    } catch (error) {
      if (!(error instanceof UpstreamLostError)) throw error;
    }
  }

  /**
   * Reads the reply to a message that was wholly sent.
   *
   * @throws {UpstreamLostError} Also for a reply that can't be one to mail data, or not the only one: then nobody knows what
   * the provider has done.
   */
  async readFinalReply(): Promise<Reply> {
    const { connection } = this;
    try {
      const reply = await connection.readFinalReply();
      const isYes = isAcceptance(reply) && !connection.hasStrayOctets;
      if (!isYes && reply.code < 400) {
        throw new UpstreamLostError("the reply to mail data", `the provider answered ${reply.text()}`);
      }
      this.#standing = "clean";
      return reply;
    } finally {
      this.#awaitsFinalReply = false;
    }
  }

  /** Gives the connection back in the state that it is in. */
  giveBack(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    if (this.#standing === "broken") lease?.[Symbol.dispose]();
    else lease?.release(this.#standing);
  }

  /** The message did not begin: it doesn't count for the account's rates. */
  async uncount(): Promise<void> {
    const count = this.#count;
    this.#count = undefined;
    if (count) await this.#options.pool.rates.uncountMessage(count);
  }

  /** Throws the connection away: something is under way on it that can't be ended. */
  drop(): void {
    this.#lease?.[Symbol.dispose]();
    this.#lease = undefined;
  }

  /** Closes the connection under whatever uses it now, and one that is still to come. */
  cut(): void {
    this.#isCut = true;
    this.#lease?.connection.close();
  }

  async #hold(obtain: () => Promise<Lease>): Promise<void> {
    this.#take(await obtain());
  }

  #take(lease: Lease): void {
    this.#lease = lease;
    this.#standing = "clean";
    if (this.#isCut) this.#lease.connection.close();
    this.#options.report.beginUpstream(this.#lease.connection.remoteAddress);
  }

  async #exchange(steps: readonly Step[], replayed: readonly Step[]): Promise<void> {
    const { connection } = this;
    const all = replayed.length === 0 ? steps : [...replayed, ...steps];
    const offers = (extension: string) => connection.extensions.has(extension);
    const refusal = unsupported(all, offers);
    if (refusal && replayed.length > 0) throw new UpstreamLostError("the replay", refusal.text());
    if (refusal) {
      for (const step of steps) step.reply = refusal;
      return;
    }
    const before = this.#standing;
    this.#standing = "broken";
    let misstep: Reply | undefined;
    try {
      await connection.exchange(all.map((step) => formatStep(step, offers)), (index, reply) => {
        const step = all[index]!;
        if (index >= replayed.length) step.reply = reply;
        // A connection that takes MAIL for out of sequence is in the middle of something that nobody here knows of.
        const isOfNoUse = step.verb === "MAIL" && this.#lease!.isReused && !reply.isPositive &&
          (reply.code === 503 || saysConnectionIsSpent(reply));
        if (isOfNoUse || isOutOfStep(step, reply) || (index < replayed.length && !reply.isPositive)) {
          misstep ??= reply;
        }
      });
    } catch (error) {
      if (misstep === undefined || !(error instanceof UpstreamLostError)) throw error;
    }
    if (misstep) this.#reject(misstep, steps);
    const isInMessage = steps.some(({ reply }) => reply?.code === 354);
    const hasBegun = before === "needs-reset" ||
      all.some(({ verb, reply }) => verb === "MAIL" && reply?.isPositive);
    this.#standing = isInMessage ? "broken" : hasBegun ? "needs-reset" : "clean";
  }

  /** @throws {UpstreamLostError} The connection is of no use after such a reply. */
  #reject(misstep: Reply, steps: readonly Step[]): never {
    for (const step of steps) delete step.reply;
    // A used connection may say 421 because it idled for too long; on a fresh one it is meant.
    if (!this.#lease!.isReused) this.#options.pool.noteReply(misstep);
    throw new UpstreamLostError("the transaction", `the provider answered ${misstep.text()}`);
  }
}
