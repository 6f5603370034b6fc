/** One signed-in connection to a provider: groups of commands out, their replies back, mail data through. */

import { EndlessLineError, LineReader } from "../smtp/line_reader.ts";
import { encodeReplyLines, parseReplyLine, Reply } from "../smtp/reply.ts";
import { Extensions } from "../smtp/extensions.ts";
import { type ByteStream, StreamBrokenError, StreamClosedError } from "../transport/byte_stream.ts";
import type { Deadline, Deadlines } from "../transport/deadlines.ts";
import { UpstreamLostError } from "./upstream_error.ts";

const encoder = new TextEncoder();

/** Longer than the 512 octets of RFC 5321 §4.5.3.1.5: providers' diagnostics are. */
const MAX_REPLY_LINE_OCTETS = 8192;
const MAX_REPLY_LINES = 128;
const GOODBYE = encoder.encode("421");
/** An empty line behind a reply says nothing that could be another. */
const BLANKS: ReadonlySet<number> = new Set(encoder.encode(" \r\n"));

/** Deadlines of RFC 5321 §4.5.3.2 for the client's side. */
export interface ReplyTimeouts {
  /** MAIL, RCPT, RSET, EHLO, NOOP, AUTH. */
  readonly commandMs: number;
  readonly dataMs: number;
  /** One write of mail data. */
  readonly dataBlockMs: number;
  /** From the final dot to its reply; cut short, it makes duplicates. */
  readonly finalReplyMs: number;
}

/**
 * RFC 5321 §4.5.3.2.2 to §4.5.3.2.6; before the message shorter than there. The client waits the same 5 (DATA: 2) minutes
 * for its reply, and in these a pooled connection that a firewall has forgotten must show, and be replaced.
 */
export const REPLY_TIMEOUTS: ReplyTimeouts = {
  commandMs: 2 * 60_000,
  dataMs: 90_000,
  dataBlockMs: 3 * 60_000,
  finalReplyMs: 10 * 60_000,
};

export interface ConnectionOptions {
  readonly deadlines: Deadlines;
  readonly now: () => number;
  readonly timeouts?: ReplyTimeouts;
}

/** Who is told what becomes of an idle connection; called at most once, and only while it is watched. */
export interface IdleWatcher {
  /** It ended by itself and is closed. */
  onGone(): void;
  /** It was idle for long enough. */
  onIdleTimeout(): void;
}

/**
 * Takes a connection that has said goodbye and is still to be closed. Each TLS connection that Deno closes keeps one of its
 * 32 threads for files busy for 100 ms (2.9.6), so a process that is about to end closes a thousand of them last.
 */
export type Park = (connection: Disposable) => void;

/** Owns its stream. Every method rejects with `UpstreamLostError` once the connection is gone. */
export class UpstreamConnection implements Disposable {
  readonly createdAtMs: number;
  /** Transactions begun on it. */
  transactions = 0;
  /** A transaction was abandoned half-way; RSET goes in front of the next one's commands. */
  needsReset = false;
  extensions = new Extensions([]);
  /** It has been in the pool unused. */
  hasIdled = false;
  readonly #stream: ByteStream;
  readonly #reader: LineReader;
  readonly #deadline: Deadline;
  readonly #timeouts: ReplyTimeouts;
  #listening: Promise<void> | undefined;
  #watcher: IdleWatcher | undefined;
  #isDoomed = false;
  #timedOut = false;

  constructor(stream: ByteStream, { deadlines, now, timeouts = REPLY_TIMEOUTS }: ConnectionOptions) {
    this.#stream = stream;
    this.#reader = new LineReader(stream);
    this.#timeouts = timeouts;
    this.createdAtMs = now();
    this.#deadline = deadlines.add(() => this.#expire());
  }

  /** Whether a further transaction may use it: it lives, is in step, and the provider did not announce its end. */
  get isUsable(): boolean {
    return !this.#isDoomed && this.#reader.buffered === 0;
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  /** Octets that came without being asked for: behind a STARTTLS reply they would be an injection (RFC 3207 §4.2). */
  get buffered(): number {
    return this.#reader.buffered;
  }

  /** Whether something came that nobody asked for, other than the announcement of the connection's end (RFC 5321 §3.8). */
  get hasStrayOctets(): boolean {
    const octets = this.#reader.peek();
    // The rest of the announcement may be on its way.
    const isGoodbye = octets.subarray(0, 3).every((octet, index) => octet === GOODBYE[index]);
    return !isGoodbye && octets.some((octet) => !BLANKS.has(octet));
  }

  /** Whether something came from the provider while mail data was still on its way. */
  get hasEarlyReply(): boolean {
    return this.#reader.buffered > 0 || this.#isDoomed;
  }

  /** Reads one reply. A 421 is returned like any other; the connection isn't used again after it (RFC 5321 §3.8). */
  async readReply(during: string, timeoutMs = this.#timeouts.commandMs): Promise<Reply> {
    this.#deadline.set(timeoutMs);
    try {
      const lines: Uint8Array[] = [];
      let code: number | undefined;
      for (;;) {
        const line = this.#reader.takeLine(MAX_REPLY_LINE_OCTETS);
        if (line === undefined) {
          if (!await this.#reader.fill()) {
            throw new UpstreamLostError(during, "the provider closed the connection");
          }
          continue;
        }
        const parsed = line === "too-long" ? undefined : parseReplyLine(line);
        // All lines have the same code (RFC 5321 §4.2.1).
        if (
          parsed === undefined || parsed.code !== (code ??= parsed.code) || lines.length === MAX_REPLY_LINES
        ) {
          throw new UpstreamLostError(during, "the provider's answer is no SMTP reply");
        }
        // A view of the reader's buffer: copied before the next read may move it.
        if (!parsed.isLast) {
          lines.push((line as Uint8Array).slice());
          continue;
        }
        lines.push(line as Uint8Array);
        if (parsed.code === 421) this.#isDoomed = true;
        return new Reply(parsed.code, encodeReplyLines(lines));
      }
    } catch (error) {
      throw this.#lost(during, error);
    } finally {
      this.#deadline.clear();
    }
  }

  /**
   * Sends commands and reads a reply for each, in one write where the provider takes groups (RFC 2920), else one by one.
   *
   * @param commands Lines without CRLF.
   * @param onReply Called with each command's index and reply, in order.
   */
  async exchange(commands: readonly string[], onReply: (index: number, reply: Reply) => void): Promise<void> {
    if (this.#reader.buffered > 0) {
      // What it would be taken for is the reply to the first command.
      this.#isDoomed = true;
      throw new UpstreamLostError(commands[0]!.slice(0, 4), "the provider spoke without being asked");
    }
    let reset = this.needsReset;
    this.needsReset = false;
    const lines = reset ? ["RSET", ...commands] : commands;
    const groups = this.extensions.has("PIPELINING") ? [lines] : lines.map((line) => [line]);
    let index = 0;
    for (const group of groups) {
      await this.write(encoder.encode(`${group.join("\r\n")}\r\n`), group[0]!);
      for (const line of group) {
        const verb = line.slice(0, 4);
        const reply = await this.readReply(
          verb,
          verb === "DATA" ? this.#timeouts.dataMs : this.#timeouts.commandMs,
        );
        // Read on behind the 354: what the provider says before the message has ended must show before its end.
        if (verb === "DATA" && reply.code === 354) this.#listening = this.#listen();
        if (!reset) onReply(index++, reply);
        else if (!reply.isPositive) throw this.#outOfStep(reply);
        reset = false;
        // Its last word (RFC 5321 §3.8): those that the rest of the group would wait for don't come, and the FIN may be lost.
        if (reply.code === 421 && index < commands.length) {
          throw new UpstreamLostError(verb, `the provider answered ${reply.text()}`);
        }
      }
    }
  }

  /** Sends one command and reads its reply. */
  async command(line: string): Promise<Reply> {
    let reply: Reply | undefined;
    await this.exchange([line], (_, answer) => {
      reply = answer;
    });
    return reply!;
  }

  /** Writes octets; resolves when the system has taken them. */
  async write(octets: Uint8Array, during: string): Promise<void> {
    this.#deadline.set(this.#timeouts.dataBlockMs);
    try {
      await this.#stream.write(octets);
    } catch (error) {
      throw this.#lost(during, error);
    } finally {
      this.#deadline.clear();
    }
  }

  /** Reads the answer to the end of data. */
  readFinalReply(): Promise<Reply> {
    return this.readReply("the reply to mail data", this.#timeouts.finalReplyMs);
  }

  /**
   * Listens while nothing is expected, so that a FIN, a reset or a 421 shows at once. The read that this starts is taken
   * over by the next `readReply`.
   */
  watch(watcher: IdleWatcher, idleTimeoutMs: number): void {
    this.hasIdled = true;
    this.#watcher = watcher;
    this.#deadline.set(idleTimeoutMs);
    this.#listening = this.#listen();
  }

  /** Ends `watch`; the connection is in use again. */
  unwatch(): void {
    this.#watcher = undefined;
    this.#deadline.clear();
  }

  /** Says QUIT and waits for its reply, at most `timeoutMs`; closes in any case. Never rejects. */
  async quit(timeoutMs: number, park?: Park): Promise<void> {
    this.unwatch();
    const timer = setTimeout(() => this.close(), timeoutMs);
    let isParked = false;
    try {
      if (this.isUsable) {
        await this.#stream.write(encoder.encode("QUIT\r\n"));
        await this.readReply("QUIT");
        isParked = park !== undefined && this.isUsable;
      }
    } catch (error) {
      if (
        !(error instanceof UpstreamLostError || error instanceof StreamClosedError ||
          error instanceof StreamBrokenError)
      ) {
        throw error;
      }
    } finally {
      clearTimeout(timer);
      if (isParked) {
        this.#isDoomed = true;
        park?.(this);
      } else this.close();
      await this.#listening;
    }
  }

  /** Lets go of the stream without closing it, for STARTTLS, which takes the socket over. */
  release(): void {
    this.#isDoomed = true;
    this.#deadline[Symbol.dispose]();
  }

  close(): void {
    this.#isDoomed = true;
    this.unwatch();
    this.#deadline[Symbol.dispose]();
    this.#stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #listen(): Promise<void> {
    try {
      if (!await this.#reader.fill()) this.#isDoomed = true;
    } catch (error) {
      if (!(error instanceof StreamBrokenError || error instanceof StreamClosedError)) throw error;
      this.#isDoomed = true;
    }
    const watcher = this.#watcher;
    if (!watcher) return;
    // Whatever came, nobody asked for it: the end of the stream, or a 421 before it.
    this.close();
    watcher.onGone();
  }

  #expire(): void {
    const watcher = this.#watcher;
    if (watcher) {
      this.unwatch();
      watcher.onIdleTimeout();
    } else {
      this.#timedOut = true;
      this.close();
    }
  }

  #outOfStep(reply: Reply): UpstreamLostError {
    this.#isDoomed = true;
    return new UpstreamLostError("RSET", `the provider answered ${reply.code}`);
  }

  #lost(during: string, error: unknown): unknown {
    this.#isDoomed = true;
    if (error instanceof UpstreamLostError) return error;
    if (this.#timedOut) {
      return new UpstreamLostError(during, "the provider did not answer in time", { cause: error });
    }
    const isLoss = error instanceof StreamBrokenError || error instanceof StreamClosedError ||
      error instanceof EndlessLineError;
    return isLoss ? new UpstreamLostError(during, error.message, { cause: error }) : error;
  }
}
