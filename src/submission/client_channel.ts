/** The client's side of a session: lines in, replies out in order, every wait under a deadline. */

import { LineReader } from "../smtp/line_reader.ts";
import { REPLIES } from "./replies.ts";
import type { Reply } from "../smtp/reply.ts";
import {
  type ByteStream,
  isUpgradable,
  StreamBrokenError,
  StreamClosedError,
} from "../transport/byte_stream.ts";
import type { Deadline, Deadlines } from "../transport/deadlines.ts";

/** A reply that is there, or one that a flush of the relay will fill in. */
export type PendingReply = Reply | { readonly reply?: Reply };

/** What a client has to do, and how long that may take. */
interface Debt {
  readonly owes: "taking replies" | "handshake";
  readonly timeoutMs: number;
}

/** A farewell that the client doesn't take within this time is dropped. */
const FAREWELL_TIMEOUT_MS = 500;

/** The longest wait for the client to take replies that it asked for. */
const WRITE_TIMEOUT_MS = 60_000;

/** Of a client that speaks while it should listen; half of what a reader holds at rest. */
const MAX_EARLY_OCTETS = 1024;

/** Owns the client's stream. */
export class ClientChannel implements Disposable {
  reader: LineReader;
  #stream: ByteStream;
  #pending: PendingReply[] = [];
  #waitsForClient = false;
  /** What the client has to do next, other than to speak. */
  #owes: Debt["owes"] | undefined;
  #writeTimeoutMs = WRITE_TIMEOUT_MS;
  #farewell: Promise<void> | undefined;
  readonly #deadline: Deadline;
  readonly #onTimeout: () => void;

  /** @param onTimeout Called when the client was silent for too long; it may answer with `interrupt`. */
  constructor(stream: ByteStream, deadlines: Deadlines, onTimeout: () => void) {
    this.#stream = stream;
    this.reader = new LineReader(stream);
    this.#onTimeout = onTimeout;
    this.#deadline = deadlines.add(() => this.#waitsForClient ? this.#onTimeout() : this.close());
  }

  get stream(): ByteStream {
    return this.#stream;
  }

  /** Whether replies wait to be written. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Adds a reply to the present group. */
  push(reply: PendingReply): void {
    this.#pending.push(reply);
  }

  /** Writes the group in one go (RFC 2920 §3.2). */
  async writePending(): Promise<void> {
    if (this.#pending.length === 0) return;
    // A step that a defect left without its reply must not keep the others from theirs.
    const replies = this.#pending.map((pending) =>
      "octets" in pending ? pending : pending.reply ?? REPLIES.internalError
    );
    this.#pending = [];
    await this.#write(replies.length === 1 ? replies[0]!.octets : concatenate(replies));
  }

  /**
   * Reads a line. The view is valid until the next read.
   *
   * @returns null when the client is gone.
   */
  async readLine(maxOctets: number, timeoutMs: number): Promise<Uint8Array | "too-long" | null> {
    return await this.whileWaiting(timeoutMs, () => this.reader.readLine(maxOctets));
  }

  /** Runs something that waits for the client, under a deadline. */
  async whileWaiting<T>(timeoutMs: number, run: () => Promise<T>): Promise<T> {
    if (this.#farewell) throw new StreamClosedError();
    this.#waitsForClient = true;
    this.#deadline.set(timeoutMs);
    try {
      return await run();
    } finally {
      this.#waitsForClient = false;
      this.#deadline.clear();
    }
  }

  /** Whether the session waits for its client to send something. */
  get isWaiting(): boolean {
    return this.#waitsForClient && this.reader.isReading;
  }

  /**
   * Listens for the end of a client that waits for the provider; what it says instead is read later. Not where the next
   * octets may be a TLS handshake, which isn't the reader's.
   *
   * @param isWaiting Whether to go on listening.
   * @param onGone Called once, when the client has ended its side (`closed`), or the connection is `reset`.
   */
  watch(isWaiting: () => boolean, onGone: (how: "closed" | "reset") => void): void {
    if (isUpgradable(this.#stream)) return;
    const listen = () => {
      if (!isWaiting() || this.reader.buffered >= MAX_EARLY_OCTETS) return;
      this.reader.fill().then((isThere) => isThere ? listen() : onGone("closed"), () => onGone("reset"));
    };
    listen();
  }

  /** The session ends: if it waits for its client, it does that for no longer than so. */
  hurry(timeoutMs: number): void {
    if (this.#waitsForClient) this.#deadline.set(timeoutMs);
  }

  /** The client gave a sign of life. */
  extendDeadline(timeoutMs: number): void {
    this.#deadline.set(timeoutMs);
  }

  /**
   * Ends the session with a reply nobody asked for (RFC 5321 §3.8), if it waits for the client now.
   *
   * @returns false when it doesn't; then it will come to its own next step, with little patience left for its client.
   */
  interrupt(reply: Reply): boolean {
    this.#writeTimeoutMs = FAREWELL_TIMEOUT_MS;
    if (this.#owes === "taking replies") this.#deadline.set(FAREWELL_TIMEOUT_MS);
    // Before the handshake is done there is no way to tell it anything.
    if (this.#owes === "handshake") this.close();
    if (!this.#waitsForClient) return false;
    this.#farewell ??= this.#sayFarewell(reply);
    return true;
  }

  /** Runs the server's side of STARTTLS; what the client sent in clear behind the command is discarded (RFC 3207 §4.2). */
  async startTls(timeoutMs: number): Promise<number> {
    if (!isUpgradable(this.#stream)) throw new TypeError("Cannot upgrade: the stream takes no STARTTLS");
    const upgrading = this.#stream;
    const discarded = this.reader.discardBuffered();
    this.#owe({ owes: "handshake", timeoutMs });
    try {
      this.#stream = await upgrading.startTls();
    } finally {
      this.#settle();
    }
    this.reader = new LineReader(this.#stream);
    return discarded;
  }

  close(): void {
    this.#deadline[Symbol.dispose]();
    this.#stream.close();
  }

  /** Closes, after a farewell that is under way. */
  async end(): Promise<void> {
    await this.#farewell;
    this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #write(octets: Uint8Array): Promise<void> {
    if (this.#farewell) throw new StreamClosedError();
    this.#owe({ owes: "taking replies", timeoutMs: this.#writeTimeoutMs });
    try {
      await this.#stream.write(octets);
    } finally {
      this.#settle();
    }
  }

  /** From now on the client has to take part in something; the connection is closed when it doesn't. */
  #owe({ owes, timeoutMs }: Debt): void {
    this.#owes = owes;
    this.#deadline.set(timeoutMs);
  }

  /** The client has done its part, or is gone. */
  #settle(): void {
    this.#owes = undefined;
    this.#deadline.clear();
  }

  async #sayFarewell(reply: Reply): Promise<void> {
    const timer = setTimeout(() => this.close(), FAREWELL_TIMEOUT_MS);
    try {
      await this.#stream.write(reply.octets);
    } catch (error) {
      if (!(error instanceof StreamBrokenError || error instanceof StreamClosedError)) throw error;
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }
}

function concatenate(replies: readonly Reply[]): Uint8Array {
  const all = new Uint8Array(replies.reduce((sum, reply) => sum + reply.octets.length, 0));
  let at = 0;
  for (const { octets } of replies) {
    all.set(octets, at);
    at += octets.length;
  }
  return all;
}
