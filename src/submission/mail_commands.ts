/** MAIL, RCPT and DATA of a session (RFC 5321 §3.3): checked here, answered by the provider. */

import { type DataRelayOptions, relayMailData } from "../relay/data_relay.ts";
import { extensionsFor, noLongerOffered, type Step } from "../relay/step.ts";
import type { Transaction } from "../relay/transaction.ts";
import { type ParameterFault, parseMailArgument, parseRcptArgument } from "../smtp/mail_parameters.ts";
import { parsePathArgument, type PathFault } from "../smtp/path.ts";
import { Reply } from "../smtp/reply.ts";
import { permitsAuth } from "./hello.ts";
import { REPLIES } from "./replies.ts";
import type { Session } from "./session.ts";
import type { AnsweredHello, SessionState } from "./session_state.ts";
import { SlowClientGuard } from "./slow_client_guard.ts";
import { traceField } from "./trace_field.ts";

/** For good: the message can't be passed on as it is, and the client was not told that it could (RFC 3461 §4, RFC 6152 §3, RFC 6531 §3.2). */
const NOT_OFFERED: Readonly<Record<string, Reply>> = {
  DSN: Reply.of(555, "5.5.4", "Delivery status notifications are not offered for this account"),
  SMTPUTF8: Reply.of(550, "5.6.7", "The provider does not take internationalized mail"),
  "8BITMIME": Reply.of(554, "5.6.3", "The provider does not take 8-bit mail"),
};

/** What a client has sent on its 354 is here within this time. */
const FIRST_OCTET_TIMEOUT_MS = 600;

type TransactionState = Extract<SessionState, { at: "transaction" }>;

/** Belongs to one session. */
export class MailCommands {
  readonly #session: Session;
  #message: "none" | "told to send" | "begun" = "none";
  #messages = 0;
  #guard: SlowClientGuard | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** From the 354 to the final reply. */
  get isInMessage(): boolean {
    return this.#message !== "none";
  }

  /** The session ends: a client that has been told to send its message, and doesn't begin, isn't waited for. */
  hurry(): void {
    if (this.#message === "told to send") this.#session.channel.hurry(FIRST_OCTET_TIMEOUT_MS);
  }

  get awaitsFinalReply(): boolean {
    const { state } = this.#session;
    return state.at === "transaction" && state.transaction.awaitsFinalReply;
  }

  mail(argument: string): void {
    const session = this.#session;
    const { state } = session;
    if (state.at !== "ready") return session.refuse(this.#whyNotReady(state));
    const path = parsePathArgument(argument, "FROM");
    const mail = "fault" in path ? path : parseMailArgument(path);
    if ("fault" in mail) return session.refuse(faultReply(mail, "5.1.7"));
    const mailbox = session.context.relay.mailbox(state.account);
    if (!mailbox) return session.channel.push(REPLIES.accountGone);
    const step: Step = { verb: "MAIL", mail };
    const unoffered = this.#unoffered(step, state);
    if (unoffered) return session.refuse(unoffered);
    const { messageOctets } = mailbox.provider.limits;
    if (messageOctets !== undefined && (mail.size ?? 0) > messageOctets) {
      return session.channel.push(Reply.of(552, "5.3.4", `Message is larger than ${messageOctets} octets`));
    }
    const { signal, id } = session;
    const client = session.channel.stream.remoteAddress;
    const transaction = session.context.relay.begin(mailbox, {
      session: id,
      client,
      signal,
      onWait: () => this.#watchClient(transaction),
    });
    session.state = { ...state, at: "transaction", transaction, smtputf8: mail.smtputf8 };
    this.#queue(transaction, step);
    this.#guard?.[Symbol.dispose]();
    this.#guard = new SlowClientGuard(transaction, session);
  }

  /**
   * A client that has ended its side may still want the replies to what it has said, so it is taken for gone only while it is
   * in others' way.
   */
  #watchClient(transaction: Transaction): void {
    const isWaiting = () => !transaction.isOver && !transaction.isOpen;
    this.#session.channel.watch(isWaiting, (how) => {
      if (isWaiting() && (how === "reset" || transaction.isQueued)) this.#session.leftByClient();
    });
  }

  /** VRFY tells nothing, and that only to who is signed in (RFC 4954 §6). */
  vrfy(): void {
    const { state, channel } = this.#session;
    if ("account" in state) channel.push(REPLIES.vrfy);
    else this.#session.refuse(this.#whyNoTransaction(state));
  }

  async rcpt(argument: string): Promise<void> {
    const session = this.#session;
    const { state } = session;
    if (state.at !== "transaction") return session.refuse(this.#whyNoTransaction(state));
    const path = parsePathArgument(argument, "TO");
    const rcpt = "fault" in path ? path : parseRcptArgument(path, state.smtputf8);
    if ("fault" in rcpt) return session.refuse(faultReply(rcpt, "5.1.3"));
    const step: Step = { verb: "RCPT", rcpt };
    const unoffered = this.#unoffered(step, state);
    if (unoffered) return session.refuse(unoffered);
    const refusal = await state.transaction.admitRecipient();
    if (refusal) return session.channel.push(refusal);
    this.#queue(state.transaction, step);
    this.#guard?.noteOctets(argument.length);
  }

  async data(argument: string): Promise<void> {
    const session = this.#session;
    const { state } = session;
    if (state.at !== "transaction") return session.refuse(this.#whyNoTransaction(state));
    if (argument !== "") return session.refuse(REPLIES.noParameters);
    const refusal = state.transaction.dataRefusal;
    if (refusal) {
      await session.flush();
      return session.channel.push(refusal);
    }
    try {
      if (session.context.relay.isDryRun) return await this.#dryRun(state);
      const step: Step = { verb: "DATA" };
      this.#queue(state.transaction, step);
      await state.transaction.flush();
      const isAccepted = step.reply?.code === 354 && !state.transaction.isOver;
      // From here on a stop waits for the message: the client is about to be told to send it.
      if (isAccepted) this.#message = "told to send";
      await session.flush();
      if (isAccepted) await this.#relay(state);
    } finally {
      this.#message = "none";
      this.#guard?.[Symbol.dispose]();
    }
  }

  async #relay(state: TransactionState): Promise<void> {
    const { channel, context } = this.#session;
    this.#guard?.startData();
    const reply = await channel.whileWaiting(
      context.settings.dataTimeoutMs,
      () => state.transaction.relayData(channel.reader, this.#dataOptions(state)),
    );
    this.#session.state = { at: "ready", hello: state.hello, account: state.account };
    // At once, even when the next MAIL is in the buffer already (RFC 2920 §3.1): that one may have to wait.
    channel.push(reply);
    await channel.writePending();
  }

  /** The provider has judged sender and recipients; the message is read and dropped. */
  async #dryRun(state: TransactionState): Promise<void> {
    const session = this.#session;
    await session.flush();
    const { failure, isOver, dataRefusal } = state.transaction;
    if (isOver) return session.channel.push(failure ?? REPLIES.mailFirst);
    if (failure) {
      await state.transaction.abandon();
      return session.channel.push(failure);
    }
    if (dataRefusal) {
      // Nothing watches it any more for a client that is silent.
      await state.transaction.abandon();
      return session.channel.push(dataRefusal);
    }
    const { settings } = session.context;
    session.channel.push(REPLIES.startMailInput);
    await session.channel.writePending();
    if (session.isEnding) return;
    const { refusal } = await session.channel.whileWaiting(
      settings.dataTimeoutMs,
      () => relayMailData(session.channel.reader, undefined, this.#dataOptions(state)),
    );
    const reply = refusal?.reply ?? REPLIES.dryRun;
    await state.transaction.endDryRun(reply);
    session.channel.push(reply);
    session.state = { at: "ready", hello: state.hello, account: state.account };
  }

  /** Why a command can't be taken that uses an extension which the provider does not offer. */
  #unoffered(step: Step, { account, hello }: { account: string; hello: AnsweredHello }): Reply | undefined {
    const needed = extensionsFor(step);
    const { relay } = this.#session.context;
    // What becomes of an account that is gone meanwhile is told later.
    if (needed.length === 0 || !relay.mailbox(account)) return undefined;
    const { extensions } = relay.offer(account);
    const missing = needed.find((extension) => !extensions.has(extension));
    if (missing === undefined) return undefined;
    return hello.offered.has(missing) ? noLongerOffered(missing) : NOT_OFFERED[missing];
  }

  #dataOptions(state: TransactionState): DataRelayOptions {
    const { channel, context: { settings, relay } } = this.#session;
    const maxMessageOctets = relay.mailbox(state.account)?.provider.limits.messageOctets;
    return {
      buffers: relay.buffers,
      bareNewline: settings.bareNewline,
      maxTextLineOctets: settings.maxTextLineOctets,
      ...(maxMessageOctets !== undefined && { maxMessageOctets }),
      ...(settings.addReceivedHeader && { prefix: this.#traceField(state) }),
      onRead: () => {
        channel.extendDeadline(settings.dataTimeoutMs);
        if (this.#session.isEnding) this.hurry();
      },
      onOctets: (octets) => {
        this.#message = "begun";
        channel.extendDeadline(Infinity);
        this.#guard?.noteOctets(octets);
      },
    };
  }

  #queue(transaction: Transaction, step: Step): void {
    transaction.queue(step);
    this.#session.channel.push(step);
  }

  #traceField({ hello, smtputf8 }: TransactionState): Uint8Array {
    const { id, channel, context } = this.#session;
    const { remoteAddress, isSecure } = channel.stream;
    return traceField({
      hello,
      clientAddress: remoteAddress,
      hostname: context.settings.hostname,
      isSecure,
      isSignedIn: context.listener.account === undefined,
      smtputf8,
      id: `${id}.${++this.#messages}`,
      date: new Date(),
    });
  }

  #whyNotReady(state: SessionState): Reply {
    return state.at === "transaction" ? REPLIES.nestedMail : this.#whyNoTransaction(state);
  }

  #whyNoTransaction(state: SessionState): Reply {
    if (state.at === "connected") return REPLIES.helloFirst;
    if (state.at === "ready") return REPLIES.mailFirst;
    const { context, channel } = this.#session;
    return permitsAuth(context.listener, channel.stream.isSecure)
      ? REPLIES.authRequired
      : REPLIES.tlsRequired;
  }
}

function faultReply(fault: PathFault | ParameterFault, addressCode: string): Reply {
  if (!("code" in fault)) return Reply.of(501, addressCode, fault.fault);
  return Reply.of(fault.code, fault.code === 553 ? "5.6.7" : "5.5.4", fault.fault);
}
