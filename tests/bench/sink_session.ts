/**
 * The sink's side of one connection: EHLO, AUTH XOAUTH2 in one step or two, MAIL, RCPT, DATA, RSET, NOOP, QUIT, with
 * pipelining (RFC 2920). It believes its client: no command is checked for order or syntax.
 */

import { NUMBER_END_OCTETS, readMessageNumber } from "./message_template.ts";
import type { SinkLedger } from "./sink_ledger.ts";
import { writeAll } from "./write_all.ts";

const INPUT_OCTETS = 64 * 1024;
const OUTPUT_OCTETS = 4096;
// Room for the longest reply is left above it.
const OUTPUT_HIGH_WATER_OCTETS = 3 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;

const encoder = new TextEncoder();
const REPLIES = {
  greeting: encoder.encode("220 sink.localhost ESMTP\r\n"),
  ehlo: encoder.encode(
    "250-sink.localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 157286400\r\n" +
      "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 AUTH XOAUTH2\r\n",
  ),
  challenge: encoder.encode("334 \r\n"),
  signedIn: encoder.encode("235 2.7.0 Accepted\r\n"),
  tokenExpired: encoder.encode("535 5.7.3 Authentication unsuccessful\r\n"),
  tooMany: encoder.encode("432 4.3.2 Concurrent connections limit exceeded\r\n"),
  mail: encoder.encode("250 2.1.0 Sender OK\r\n"),
  recipient: encoder.encode("250 2.1.5 Recipient OK\r\n"),
  startData: encoder.encode("354 Start mail input\r\n"),
  accepted: encoder.encode("250 2.0.0 Accepted\r\n"),
  done: encoder.encode("250 2.0.0 OK\r\n"),
  bye: encoder.encode("221 2.0.0 Bye\r\n"),
  unknown: encoder.encode("502 5.5.1 Unknown command\r\n"),
};

type State = "command" | "token" | "data start" | "data" | "message complete" | "ended";

/** One connection of the sink, from greeting to QUIT or the client's end. */
export class SinkSession {
  readonly #conn: Deno.Conn;
  readonly #ledger: SinkLedger;
  readonly #input = new Uint8Array(INPUT_OCTETS);
  readonly #output = new Uint8Array(OUTPUT_OCTETS);
  #state: State = "command";
  #start = 0;
  #end = 0;
  #outputOctets = 0;
  #messageOctets = 0;
  #messageNumber = 0;
  #mailbox: string | undefined;

  constructor(conn: Deno.Conn, ledger: SinkLedger) {
    this.#conn = conn;
    this.#ledger = ledger;
  }

  /** Serves until the client has quit or gone. Closes the connection; never rejects for what a client does. */
  async run(): Promise<void> {
    this.#ledger.connections++;
    this.#ledger.openConnections++;
    try {
      this.#reply(REPLIES.greeting);
      while (await this.#turn());
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
    } finally {
      if (this.#mailbox !== undefined) this.#ledger.signOut(this.#mailbox);
      this.#ledger.openConnections--;
      this.#conn.close();
    }
  }

  /** Reads, acts on all that is there, writes all replies at once. @returns False at the end of the session. */
  async #turn(): Promise<boolean> {
    let moreToDo = true;
    while (moreToDo && this.#outputOctets < OUTPUT_HIGH_WATER_OCTETS) moreToDo = this.#step();
    if (this.#state === "message complete") {
      const wait = this.#ledger.mayReply();
      if (wait) await wait;
      this.#ledger.accept(this.#messageNumber, this.#messageOctets);
      this.#reply(REPLIES.accepted);
      this.#state = "command";
      moreToDo = this.#end > this.#start;
    }
    if (this.#outputOctets > 0) {
      await writeAll(this.#conn, this.#output.subarray(0, this.#outputOctets));
      this.#outputOctets = 0;
    }
    if (this.#state === "ended") return false;
    return moreToDo || await this.#fill();
  }

  async #fill(): Promise<boolean> {
    if (this.#start > 0) {
      this.#input.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const octets = await this.#conn.read(this.#input.subarray(this.#end));
    this.#end += octets ?? 0;
    return octets !== null;
  }

  /** Acts on one line or one stretch of mail data. @returns False when more input, or a wait, is needed first. */
  #step(): boolean {
    switch (this.#state) {
      case "command":
      case "token":
        return this.#takeLine();
      case "data start":
        return this.#beginData();
      case "data":
        return this.#takeData();
      default:
        return false;
    }
  }

  #takeLine(): boolean {
    const lineFeed = this.#input.indexOf(LF, this.#start);
    if (lineFeed < 0 || lineFeed >= this.#end) return false;
    const start = this.#start;
    this.#start = lineFeed + 1;
    if (this.#state === "token") this.#signIn(this.#input.subarray(start, lineFeed));
    else this.#obey(start, lineFeed);
    return true;
  }

  #obey(start: number, lineFeed: number): void {
    switch (this.#input[start]! & 0xdf) {
      case 0x4d: // MAIL
        return this.#reply(REPLIES.mail);
      case 0x52: // RCPT or RSET
        return this.#reply((this.#input[start + 1]! & 0xdf) === 0x43 ? REPLIES.recipient : REPLIES.done);
      case 0x44: // DATA: its CRLF stays, as the line end that an end-of-data line may follow directly
        this.#start = lineFeed - 1;
        this.#state = "data start";
        return this.#reply(REPLIES.startData);
      case 0x45: // EHLO
        return this.#reply(REPLIES.ehlo);
      case 0x41: // AUTH
        return this.#authenticate(this.#input.subarray(start, lineFeed));
      case 0x48: // HELO
      case 0x4e: // NOOP
        return this.#reply(REPLIES.done);
      case 0x51: // QUIT
        return this.#quit();
      default:
        return this.#reply(REPLIES.unknown);
    }
  }

  #authenticate(line: Uint8Array): void {
    const initialResponse = line.subarray("AUTH XOAUTH2 ".length);
    if (initialResponse.length > 1) return this.#signIn(initialResponse);
    this.#state = "token";
    this.#reply(REPLIES.challenge);
  }

  #signIn(response: Uint8Array): void {
    this.#state = "command";
    const text = atob(new TextDecoder().decode(response).trim());
    const mailbox = text.slice("user=".length, text.indexOf("\x01"));
    const token = text.slice(text.indexOf("auth=Bearer ") + "auth=Bearer ".length);
    if (!this.#ledger.acceptsToken(token)) return this.#reply(REPLIES.tokenExpired);
    if (!this.#ledger.signIn(mailbox)) return this.#reply(REPLIES.tooMany);
    this.#mailbox = mailbox;
    this.#reply(REPLIES.signedIn);
  }

  #quit(): void {
    this.#ledger.quits++;
    if (this.#ledger.behaviour.ignoresQuit) return;
    this.#state = "ended";
    this.#reply(REPLIES.bye);
  }

  #beginData(): boolean {
    const start = this.#start + 2;
    if (this.#ledger.behaviour.keepsNumbers && this.#end < start + NUMBER_END_OCTETS) return false;
    this.#messageNumber = this.#ledger.behaviour.keepsNumbers ? readMessageNumber(this.#input, start) : 0;
    this.#messageOctets = -2;
    this.#state = "data";
    return true;
  }

  #takeData(): boolean {
    const endOfData = findEndOfData(this.#input, this.#start, this.#end);
    if (endOfData >= 0) {
      this.#messageOctets += endOfData - 3 - this.#start;
      this.#start = endOfData;
      this.#state = "message complete";
      return false;
    }
    // The last four octets may be the beginning of CRLF "." CRLF.
    const kept = Math.min(4, this.#end - this.#start);
    this.#messageOctets += this.#end - kept - this.#start;
    this.#start = this.#end - kept;
    return false;
  }

  #reply(bytes: Uint8Array): void {
    this.#output.set(bytes, this.#outputOctets);
    this.#outputOctets += bytes.length;
  }
}

/** Finds CRLF "." CRLF in `bytes[start, end)`. @returns The index behind it, or -1. */
function findEndOfData(bytes: Uint8Array, start: number, end: number): number {
  for (let dot = bytes.indexOf(DOT, start); dot >= 0 && dot < end; dot = bytes.indexOf(DOT, dot + 1)) {
    if (
      dot - start >= 2 && dot + 2 < end && bytes[dot - 2] === CR && bytes[dot - 1] === LF &&
      bytes[dot + 1] === CR && bytes[dot + 2] === LF
    ) return dot + 3;
  }
  return -1;
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.Interrupted;
}
