/** Mail data from client to provider: one read, one scan, one write, in bounded memory; each side waits for the other. */

import type { LineReader } from "../smtp/line_reader.ts";
import { type MailDataOptions, MailDataScanner } from "../smtp/mail_data.ts";
import { Reply } from "../smtp/reply.ts";
import { nextTurn } from "../waiting/next_turn.ts";
import type { UpstreamConnection } from "../upstream/connection.ts";
import type { BufferPool } from "./buffer_pool.ts";
import { relayed, replyForError } from "./reply_for_error.ts";

/** What a client that sends faster than others are served may send in one go: about a tenth of a millisecond of scanning. */
const OCTETS_PER_TURN = 64 * 1024;
/** What was sent before the connection broke is there already, or it never comes. */
const EARLY_REPLY_TIMEOUT_MS = 1_000;

export interface DataRelayOptions extends MailDataOptions {
  readonly buffers: BufferPool;
  /** Greatest message; absent: no limit here. */
  readonly maxMessageOctets?: number;
  /** Sent upstream before the message (a trace field). */
  readonly prefix?: Uint8Array;
  /** Told before each read: from now on the wait is for the client. */
  readonly onRead?: () => void;
  /** Told what has come, so that a slow client can be found; from now on the wait is for the provider. */
  readonly onOctets: (octets: number) => void;
  /** Told as soon as the message can't go on; the client may go on sending it for long. */
  readonly onRefusal?: () => void;
  /**
   * Told when the end of data goes out. From then on nobody can tell that the provider won't have the message: what a TLS
   * connection was given before it was closed may still be sent.
   */
  readonly onEnd?: () => void;
}

/** The lone dot with its CRLF, which is no part of the message; the CRLF before it is. */
const END_OF_DATA_OCTETS = 3;

/** Why a message can't go on. */
export interface DataRefusal {
  readonly reply: Reply;
  /** The provider's own word, where it spoke before the end. */
  readonly said?: Reply;
  /** The connection broke, and the provider didn't say why: if that was at the end of data, it may have the message. */
  readonly isLost: boolean;
}

/** How the message went. */
export interface DataRelayResult {
  readonly octets: number;
  readonly refusal?: DataRefusal;
}

/** The client ended or lost its connection inside the message. */
export class ClientGoneError extends Error {
  override readonly name = "ClientGoneError";
  readonly code = "CLIENT_GONE";
  constructor() {
    super("Cannot go on with the message: the client closed the connection inside it");
  }
}

/**
 * Relays until the end of data. When the message can't go on, the rest of it is read and dropped, since the client reads no
 * reply before it has sent its last dot.
 *
 * @param upstream `undefined` reads the message and drops it (dry run).
 * @throws {ClientGoneError} and what reading from the client throws.
 */
export async function relayMailData(
  reader: LineReader,
  upstream: UpstreamConnection | undefined,
  options: DataRelayOptions,
): Promise<DataRelayResult> {
  const buffer = options.buffers.take();
  try {
    // What the client has been watched by brings its first octets.
    if (reader.isReading) {
      options.onRead?.();
      if (!await reader.fill()) throw new ClientGoneError();
    }
    reader.useBuffer(buffer);
    return await pump(reader, upstream, options);
  } finally {
    reader.returnBuffer();
    options.buffers.give(buffer);
  }
}

async function pump(
  reader: LineReader,
  upstream: UpstreamConnection | undefined,
  options: DataRelayOptions,
): Promise<DataRelayResult> {
  const { maxMessageOctets = Infinity, prefix, onRead, onOctets } = options;
  const scanner = new MailDataScanner(options);
  let octets = 0;
  let turnAtOctets = OCTETS_PER_TURN;
  let refusal = prefix && upstream ? await forward(upstream, prefix) : undefined;
  if (refusal) options.onRefusal?.();
  while (!scanner.ended) {
    if (reader.buffered === 0) {
      onRead?.();
      if (!await reader.fill()) throw new ClientGoneError();
    }
    const data = scanner.push(reader.peek());
    octets += scanner.consumed;
    onOctets(scanner.consumed);
    if (!refusal) {
      const reply = refuse(scanner, octets, maxMessageOctets);
      if (reply) refusal = { reply, isLost: false };
      const onEnd = scanner.ended ? options.onEnd : undefined;
      if (!refusal && upstream && data.length > 0) refusal = await forward(upstream, data, { onEnd });
      if (refusal) options.onRefusal?.();
    }
    // Only now: `data` may be a view of the reader's buffer.
    reader.consume(scanner.consumed);
    if (scanner.ended || octets < turnAtOctets) continue;
    turnAtOctets = octets + OCTETS_PER_TURN;
    await nextTurn();
  }
  const messageOctets = octets - END_OF_DATA_OCTETS;
  return refusal ? { octets: messageOctets, refusal } : { octets: messageOctets };
}

function refuse(scanner: MailDataScanner, octets: number, maxMessageOctets: number): Reply | undefined {
  // RFC 1870 §3: neither the end of data nor transparency counts.
  if (octets - END_OF_DATA_OCTETS - scanner.transparencyDots > maxMessageOctets) {
    return Reply.of(552, "5.3.4", `Message is larger than ${maxMessageOctets} octets`);
  }
  switch (scanner.fault) {
    case undefined:
      return undefined;
    case "bare-newline":
      return Reply.of(550, "5.6.11", "Message has a bare CR or LF (RFC 5321 section 2.3.8)");
    case "line-too-long":
      return Reply.of(
        554,
        "5.6.0",
        "Message has a text line longer than the limit (RFC 5321 section 4.5.3.1.6)",
      );
  }
}

/** Writes to the provider. @returns why the message can't go on: what the provider said meanwhile, or that it is gone. */
async function forward(
  upstream: UpstreamConnection,
  data: Uint8Array,
  { onEnd }: { readonly onEnd?: (() => void) | undefined } = {},
): Promise<DataRefusal | undefined> {
  try {
    if (upstream.hasEarlyReply) return { ...await earlyReply(upstream), isLost: false };
    onEnd?.();
    await upstream.write(data, "mail data");
    return undefined;
  } catch (error) {
    const lost = replyForError(error);
    if (!lost) throw error;
    const word = await lastWord(upstream);
    return { reply: lost, ...word, isLost: word === undefined };
  }
}

type Word = Required<Pick<DataRefusal, "reply" | "said">>;

/** What the provider said before the final dot, when nothing can be accepted yet. */
async function earlyReply(upstream: UpstreamConnection): Promise<Word> {
  const said = await upstream.readReply("mail data", EARLY_REPLY_TIMEOUT_MS);
  if (said.code >= 400) return { reply: relayed(said), said };
  return { reply: Reply.of(451, "4.5.0", `The provider answered ${said.code} inside the message`), said };
}

/** A provider that hangs up inside a message may have said why; that it hung up shows first. */
async function lastWord(upstream: UpstreamConnection): Promise<Word | undefined> {
  try {
    return await earlyReply(upstream);
  } catch (error) {
    if (replyForError(error)) return undefined;
    throw error;
  }
}
