/** One submission session (RFC 6409): from the greeting to QUIT, a drop, a timeout or the end of the service. */

import type { Logger } from "@logtape/logtape";
import type { ListenerSettings, SubmissionSettings } from "../config/settings.ts";
import { ClientGoneError } from "../relay/data_relay.ts";
import type { Relay } from "../relay/relay.ts";
import { type Command, parseCommand } from "../smtp/command.ts";
import { EndlessLineError } from "../smtp/line_reader.ts";
import { Reply } from "../smtp/reply.ts";
import { type ByteStream, StreamBrokenError, StreamClosedError } from "../transport/byte_stream.ts";
import type { Deadlines } from "../transport/deadlines.ts";
import { nextTurn } from "../waiting/next_turn.ts";
import { AccessCommands } from "./access_commands.ts";
import type { Authenticator } from "./authenticator.ts";
import { ClientChannel } from "./client_channel.ts";
import { MailCommands } from "./mail_commands.ts";
import { REPLIES } from "./replies.ts";
import type { SessionState } from "./session_state.ts";
import { MAX_RESPONSE_OCTETS } from "./sign_in_dialogue.ts";

/** Command line with its CRLF: the 512 octets of RFC 5321 §4.5.3.1.4 and what the extensions add. */
export const MAX_COMMAND_OCTETS = 2_048;

/** Who has not signed in by then, whatever else was said, holds a place that others want. */
const SIGN_IN_TIMEOUT_MS = 10 * 60_000;

/** What a client that sends faster than others are served may ask for in one go: about a millisecond's worth. */
const COMMANDS_PER_TURN = 64;

/** RFC 9110 §9, RFC 5789. */
const HTTP_METHODS: ReadonlySet<string> = new Set(
  ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"],
);

/** What all sessions of a listener share. */
export interface SessionContext {
  readonly listener: ListenerSettings;
  readonly settings: SubmissionSettings;
  readonly relay: Relay;
  readonly authenticator: Authenticator;
  readonly deadlines: Deadlines;
  readonly log: Logger;
  readonly now: () => number;
  readonly onSignIn?: (outcome: "accepted" | "refused" | "locked-out") => void;
}

/** Where a session stood when it was cut. */
export interface CutSession {
  readonly session: string;
  readonly account?: string;
  readonly client: string;
  readonly at: string;
}

/** See `run`. */
export class Session {
  readonly id: string;
  readonly channel: ClientChannel;
  readonly context: SessionContext;
  readonly #access: AccessCommands;
  readonly #mail: MailCommands;
  readonly #log: Logger;
  #state: SessionState = { at: "connected" };
  #abort = new AbortController();
  #farewell: Reply | undefined;
  #hasEnded = false;
  #commands = 0;
  #badCommands = 0;
  readonly #signInByMs: number;

  constructor(stream: ByteStream, id: string, context: SessionContext) {
    this.id = id;
    this.context = context;
    this.#log = context.log;
    this.#signInByMs = context.now() + SIGN_IN_TIMEOUT_MS;
    this.channel = new ClientChannel(stream, context.deadlines, () => this.end(REPLIES.timeout));
    this.#access = new AccessCommands(this);
    this.#mail = new MailCommands(this);
  }

  get state(): SessionState {
    return this.#state;
  }

  set state(state: SessionState) {
    this.#state = state;
  }

  /** Ends what a transaction waits for when the session must end. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether it has its last word to say, after a message that is under way. */
  get isEnding(): boolean {
    return this.#farewell !== undefined;
  }

  /** Whether a message body, or the reply to it, is under way. */
  get isInMessage(): boolean {
    return this.#mail.isInMessage;
  }

  /** Serves the client until the end. Never rejects. */
  async run(): Promise<void> {
    try {
      this.channel.push(Reply.of(220, "", `${this.context.settings.hostname} ESMTP xoauth2-proxy`));
      await this.channel.writePending();
      await this.#serve();
    } catch (error) {
      await this.#report(error);
    } finally {
      this.#hasEnded = true;
      await this.abandonTransaction();
      await this.channel.end();
    }
  }

  /**
   * The service stops: ends at once with 421 unless a message is under way, which runs to its final reply first
   * (RFC 5321 §3.8).
   */
  stop(): void {
    if (!this.isInMessage) return this.end(REPLIES.shuttingDown);
    this.#farewell ??= REPLIES.shuttingDown;
    this.#mail.hurry();
  }

  /** Ends with `reply`: at once when the session waits for its client, else as its next word. */
  end(reply: Reply): void {
    this.#farewell ??= reply;
    const isTold = this.channel.interrupt(this.#farewell);
    this.#abort.abort(new DOMException("The session is ending", "AbortError"));
    // Nothing goes upstream for a client that has been told, and what keeps another from being told must end.
    if (this.#state.at === "transaction" && isTold === this.isInMessage) this.#state.transaction.cut();
  }

  /** The client is gone while it waits for the provider: what waits on its behalf is in others' way. */
  leftByClient(): void {
    this.#abort.abort(new ClientGoneError());
  }

  /** The drain's deadline: the message under way is dropped before its final dot. @returns what was cut, for the log. */
  cut(): CutSession {
    const state = this.#state;
    this.#farewell ??= REPLIES.shuttingDown;
    this.#abort.abort(new DOMException("The session is cut", "AbortError"));
    if (state.at === "transaction") state.transaction.cut();
    this.channel.interrupt(this.#mail.awaitsFinalReply ? UNANSWERED_REPLY : CUT_REPLY);
    return {
      session: this.id,
      client: this.channel.stream.remoteAddress,
      ...("account" in state && { account: state.account }),
      at: this.#mail.awaitsFinalReply ? "final reply" : this.isInMessage ? "mail data" : state.at,
    };
  }

  /** Whether the client has sent all and waits for the provider's word: the last thing that a drain gives up. */
  get awaitsFinalReply(): boolean {
    return this.#mail.awaitsFinalReply;
  }

  async #serve(): Promise<void> {
    while (!this.#hasEnded) {
      if (this.#farewell) return await this.leave(this.#farewell);
      let line = this.channel.reader.takeLine(this.#maxLineOctets);
      if (line === undefined) {
        // Nothing more to take: the client waits for its replies (RFC 2920 §3.2).
        if (this.channel.hasPending) {
          await this.flush();
          continue;
        }
        const patienceMs = this.#patienceMs;
        if (patienceMs <= 0) return await this.leave(REPLIES.timeout);
        line = await this.channel.readLine(this.#maxLineOctets, patienceMs) ?? undefined;
        if (line === undefined) return;
        // It ended while the line came, which is too late then.
        if (this.#farewell) continue;
      }
      await this.#handleLine(line);
      if (++this.#commands % COMMANDS_PER_TURN === 0) await nextTurn();
      if (this.#badCommands > this.context.settings.maxBadCommands) {
        return await this.leave(REPLIES.tooManyBadCommands);
      }
    }
  }

  /** AUTH may bring its response along (RFC 4954 §4). */
  get #maxLineOctets(): number {
    return "account" in this.#state ? MAX_COMMAND_OCTETS : MAX_RESPONSE_OCTETS;
  }

  /** How long to wait for the next command. */
  get #patienceMs(): number {
    const { commandTimeoutMs } = this.context.settings;
    if ("account" in this.#state) return commandTimeoutMs;
    return Math.min(commandTimeoutMs, this.#signInByMs - this.context.now());
  }

  /** Sends what is queued upstream, then the group's replies to the client. */
  async flush(): Promise<void> {
    const state = this.#state;
    if (state.at === "transaction") {
      await state.transaction.flush();
      if (state.transaction.isOver) this.#state = { at: "ready", hello: state.hello, account: state.account };
    }
    await this.channel.writePending();
  }

  /** A reply to a command that the client should not have sent. */
  refuse(reply: Reply): void {
    this.#badCommands++;
    this.channel.push(reply);
  }

  async #handleLine(line: Uint8Array | "too-long"): Promise<void> {
    if (line === "too-long") return this.refuse(REPLIES.lineTooLong);
    if (this.channel.reader.endedInBareLf && this.context.settings.bareNewline === "reject") {
      return this.refuse(REPLIES.bareLf);
    }
    const isLong = line.length + 2 > MAX_COMMAND_OCTETS;
    const command = parseCommand(line);
    if ("fault" in command) {
      if (isHostField(line)) return await this.#leaveBrowser();
      return this.refuse(Reply.of(500, "5.5.2", command.fault));
    }
    if (HTTP_METHODS.has(command.verb)) return await this.#leaveBrowser();
    if (isLong && command.verb !== "AUTH") return this.refuse(REPLIES.lineTooLong);
    await this.#dispatch(command);
  }

  async #dispatch({ verb, argument }: Command): Promise<void> {
    switch (verb) {
      case "MAIL":
        return await this.#mail.mail(argument);
      case "RCPT":
        return await this.#mail.rcpt(argument);
      case "DATA":
        return await this.#mail.data(argument);
      case "RSET":
        if (argument !== "") return this.refuse(REPLIES.noParameters);
        await this.flush();
        await this.abandonTransaction();
        return this.channel.push(REPLIES.ok);
      case "EHLO":
      case "HELO":
        return await this.#access.hello(verb, argument);
      case "AUTH":
        return await this.#access.auth(argument);
      case "STARTTLS":
        return await this.#access.startTls(argument);
      case "NOOP":
        return this.channel.push(REPLIES.ok);
      case "VRFY":
        return this.#mail.vrfy();
      case "HELP":
        return this.channel.push(REPLIES.help);
      case "QUIT":
        if (argument !== "") return this.refuse(REPLIES.noParameters);
        await this.flush();
        await this.abandonTransaction();
        return await this.leave(REPLIES.bye);
      case "EXPN":
      case "TURN":
      case "BDAT":
      case "ETRN":
        return this.refuse(REPLIES.notImplemented);
      default:
        return this.refuse(REPLIES.unknownCommand);
    }
  }

  /**
   * A web page can make a browser send a request here whose body is mail: what follows the first line of HTTP, or the Host
   * field behind one that is too long to be read (RFC 9112 §3.2), must not be read as commands.
   */
  async #leaveBrowser(): Promise<void> {
    this.#log.warn("Session {session} of {client} ended: it speaks HTTP", {
      session: this.id,
      client: this.channel.stream.remoteAddress,
    });
    await this.leave(REPLIES.notHttp);
  }

  /** Ends the session with this reply, behind those of the group under way. */
  async leave(reply: Reply): Promise<void> {
    this.#hasEnded = true;
    // A group that was not flushed is answered before the farewell.
    this.channel.push(reply);
    await this.flush();
  }

  /** Forgets the transaction, if there is one. */
  async abandonTransaction(): Promise<void> {
    if (this.#state.at !== "transaction") return;
    const { hello, account, transaction } = this.#state;
    this.#state = { at: "ready", hello, account };
    await transaction.abandon();
  }

  async #report(error: unknown): Promise<void> {
    const properties = { session: this.id, client: this.channel.stream.remoteAddress };
    if (
      error instanceof StreamBrokenError || error instanceof StreamClosedError ||
      error instanceof ClientGoneError
    ) {
      this.#log.debug("Session {session} of {client} ended: {error}", {
        ...properties,
        error: error.message,
      });
    } else if (error instanceof EndlessLineError) {
      this.#log.warn("Session {session} of {client} ended: {error}", { ...properties, error: error.message });
      await this.#apologize(REPLIES.endlessLine);
    } else {
      this.#log.error("Session {session} of {client} failed: {error}", { ...properties, error });
      await this.#apologize(REPLIES.internalError);
    }
  }

  async #apologize(reply: Reply): Promise<void> {
    try {
      this.channel.push(reply);
      await this.channel.writePending();
    } catch (error) {
      if (error instanceof StreamBrokenError || error instanceof StreamClosedError) return;
      // One session's defect is not to reach the others.
      this.#log.error("Session {session} failed to apologize: {error}", { session: this.id, error });
    }
  }
}

function isHostField(line: Uint8Array): boolean {
  return /^host:/i.test(String.fromCharCode(...line.subarray(0, 5)));
}

const CUT_REPLY = Reply.of(421, "4.3.2", "Service shutting down before the message was complete, try again");
const UNANSWERED_REPLY = Reply.of(
  421,
  "4.3.2",
  "Service shutting down before the provider answered, try again",
);
