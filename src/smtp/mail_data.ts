/**
 * Mail data on its way through (RFC 5321 §4.1.1.4, §4.5.2): finds the one true end, `<CRLF>.<CRLF>`, and hands the octets
 * on as they came. Canonical input is never copied or changed.
 *
 * Servers differ in what else they take for a line end or for the end of data, and that difference is what SMTP smuggling
 * lives on. So nothing leaves here that could be read in two ways:
 *
 * - The input is read as RFC 5321 says: only CRLF ends a line, a leading dot is transparency.
 * - A bare LF becomes CRLF; the line behind it is no line of the input, so a dot at its start is content and is stuffed.
 * - A bare CR becomes a space, which can neither end a line nor begin a header field.
 * - NULs are kept, but a line is stuffed by its first octet that isn't NUL, so that a server which drops NULs sees the
 *   same lines.
 */

const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DOT = 0x2e;

/** Why a message can't be passed on. */
export type MailDataFault = "bare-newline" | "line-too-long";

export interface MailDataOptions {
  /** What happens to a bare CR or LF. */
  readonly bareNewline: "normalize" | "reject";
  /** Longest text line with its CRLF, transparency dot not counted (RFC 5321 §4.5.3.1.6); 0: no limit. */
  readonly maxTextLineOctets: number;
}

/** Where in a line the scanner stands. Each name is what was seen since the last line end; what it holds back is in brackets. */
const enum At {
  /** Nothing, after CRLF. */
  LineStart,
  /** Nothing, after a bare LF that was normalized. */
  NormalizedStart,
  /** Something. */
  Text,
  /** A CR behind something, or behind nothing [CR]. */
  Cr,
  /** A dot after CRLF [dot]. */
  Dot,
  /** A dot and a CR after CRLF [dot, CR]. */
  DotCr,
  /** NULs only, with or without a transparency dot before them [all of it]. */
  Nuls,
}

/** A run of NULs at the start of a line is held back until what follows is known; longer ones are refused as long lines. */
const MAX_NUL_RUN = 1000;

/** The end-of-data scanner of one message. */
export class MailDataScanner {
  readonly #rejectsBareNewline: boolean;
  readonly #maxLineOctets: number;
  #at: At = At.LineStart;
  #lineOctets = 0;
  #nuls = 0;
  #ended = false;
  #transparencyDots = 0;
  #consumed = 0;
  #fault: MailDataFault | undefined;
  /** Where the chunk's rewritten form grows, from the first octet that could not be passed on as it is. */
  #out: Uint8Array | undefined;
  #outEnd = 0;

  constructor({ bareNewline, maxTextLineOctets }: MailDataOptions) {
    this.#rejectsBareNewline = bareNewline === "reject";
    this.#maxLineOctets = maxTextLineOctets === 0 ? Infinity : maxTextLineOctets;
  }

  /** Whether the end of data was found. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Octets of the last chunk that belong to this message: all, unless the end was found. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Dots so far that were put in front of lines for the way only, and are no part of the message (RFC 5321 §4.5.2). */
  get transparencyDots(): number {
    return this.#transparencyDots;
  }

  /** Set as soon as the message can't be passed on; scanning for its end goes on. */
  get fault(): MailDataFault | undefined {
    return this.#fault;
  }

  /**
   * Scans the next octets.
   *
   * @returns What may be sent on now: a view of `chunk` when nothing had to change, else a copy. When `ended`, the end of
   * data is its last five (or three) octets.
   */
  push(chunk: Uint8Array): Uint8Array {
    this.#beginChunk(chunk);
    const length = chunk.length;
    let i = 0;
    while (i < length && !this.#ended) {
      if (this.#at === At.Text) {
        i = this.#text(chunk, i);
        if (i === length) break;
      }
      this.#step(chunk, i++);
    }
    this.#consumed = i;
    if (this.#out !== undefined) return this.#out.subarray(0, this.#outEnd);
    // What is held back at the end of an unchanged chunk is its tail.
    return chunk.subarray(0, i - this.#held());
  }

  #beginChunk(chunk: Uint8Array): void {
    this.#out = undefined;
    // What was held back from the chunk before has to come first.
    const holdsBack = this.#at === At.Cr || this.#at === At.Dot || this.#at === At.DotCr ||
      this.#at === At.Nuls;
    if (holdsBack) this.#startCopy(chunk, 0, 0);
  }

  /** Runs through ordinary text up to the next CR or LF. */
  #text(chunk: Uint8Array, from: number): number {
    let i = from;
    const length = chunk.length;
    for (; i < length; i++) {
      const octet = chunk[i]!;
      if (octet === CR || octet === LF) break;
    }
    this.#count(i - from);
    if (this.#out !== undefined) this.#emitRange(chunk, from, i);
    return i;
  }

  /** Takes one octet in any state but plain text. */
  #step(chunk: Uint8Array, i: number): void {
    const octet = chunk[i]!;
    switch (this.#at) {
      case At.LineStart:
      case At.NormalizedStart:
        return this.#lineStart(chunk, i, octet);
      case At.Text:
        if (octet === CR) this.#at = At.Cr;
        else this.#bareLf(chunk, i);
        return;
      case At.Cr:
        if (octet === LF) {
          this.#emit(CR, LF);
          this.#at = At.LineStart;
          return;
        }
        return this.#bareCr(chunk, i, octet);
      case At.Dot:
        return this.#dot(chunk, i, octet);
      case At.DotCr:
        if (octet === LF) {
          this.#emit(DOT, CR, LF);
          this.#ended = true;
          return;
        }
        this.#transparencyDots++;
        this.#emit(DOT);
        return this.#bareCr(chunk, i, octet);
      case At.Nuls:
        return this.#nulRun(chunk, i, octet);
    }
  }

  #lineStart(chunk: Uint8Array, i: number, octet: number): void {
    const normalized = this.#at === At.NormalizedStart;
    this.#lineOctets = 0;
    if (octet === CR) {
      this.#at = At.Cr;
    } else if (octet === LF) {
      this.#bareLf(chunk, i);
    } else if (octet === NUL) {
      this.#startCopy(chunk, i, 0);
      this.#nuls = 1;
      this.#at = At.Nuls;
    } else if (octet === DOT && !normalized) {
      this.#at = At.Dot;
    } else {
      if (octet === DOT) {
        this.#startCopy(chunk, i, 0);
        this.#emit(DOT);
      }
      this.#emit(octet);
      this.#lineOctets = 1;
      this.#at = At.Text;
    }
  }

  #dot(chunk: Uint8Array, i: number, octet: number): void {
    if (octet === CR) {
      this.#at = At.DotCr;
      return;
    }
    this.#transparencyDots++;
    if (octet === LF) {
      // The dot is transparency and goes; the LF is the content.
      this.#startCopy(chunk, i, 1);
      this.#bareLf(chunk, i);
    } else if (octet === NUL) {
      this.#startCopy(chunk, i, 1);
      this.#nuls = 1;
      this.#at = At.Nuls;
    } else {
      this.#emit(DOT, octet);
      this.#lineOctets = 1;
      this.#at = At.Text;
    }
  }

  #nulRun(chunk: Uint8Array, i: number, octet: number): void {
    if (octet === NUL && this.#nuls < MAX_NUL_RUN) {
      this.#nuls++;
      return;
    }
    if (octet === NUL) this.#fault ??= "line-too-long";
    if (octet === DOT) this.#emit(DOT);
    for (let n = 0; n < this.#nuls; n++) this.#emit(NUL);
    this.#count(this.#nuls);
    this.#at = At.Text;
    if (octet === CR || octet === LF) return this.#step(chunk, i);
    this.#emit(octet);
    this.#count(1);
  }

  /** Octet `i` is an LF without a CR before it. */
  #bareLf(chunk: Uint8Array, i: number): void {
    if (this.#rejectsBareNewline) this.#fault ??= "bare-newline";
    this.#startCopy(chunk, i, 0);
    this.#emit(CR, LF);
    this.#at = At.NormalizedStart;
  }

  /** The octet before `i` is a CR, octet `i` is no LF. */
  #bareCr(chunk: Uint8Array, i: number, octet: number): void {
    if (this.#rejectsBareNewline) this.#fault ??= "bare-newline";
    this.#startCopy(chunk, i, 1);
    this.#emit(SPACE);
    this.#count(1);
    this.#at = At.Text;
    if (octet === CR) {
      this.#at = At.Cr;
    } else {
      this.#emit(octet);
      this.#count(1);
    }
  }

  /** So many octets more are in the line, whose CRLF is still to come. */
  #count(octets: number): void {
    this.#lineOctets += octets;
    if (this.#lineOctets + 2 > this.#maxLineOctets) this.#fault ??= "line-too-long";
  }

  /** Octets of the chunk's tail that wait for what follows. */
  #held(): number {
    if (this.#ended) return 0;
    if (this.#at === At.Cr || this.#at === At.Dot) return 1;
    return this.#at === At.DotCr ? 2 : 0;
  }

  /** From here on the chunk is copied: all before octet `i` but the `heldOctets` last, which the caller writes anew. */
  #startCopy(chunk: Uint8Array, i: number, heldOctets: number): void {
    if (this.#out !== undefined) return;
    this.#out = new Uint8Array(chunk.length + 64);
    this.#outEnd = 0;
    this.#emitRange(chunk, 0, i - heldOctets);
  }

  #emit(a: number, b?: number, c?: number): void {
    if (this.#out === undefined) return;
    this.#reserve(3);
    this.#out[this.#outEnd++] = a;
    if (b !== undefined) this.#out[this.#outEnd++] = b;
    if (c !== undefined) this.#out[this.#outEnd++] = c;
  }

  #emitRange(chunk: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    this.#out!.set(chunk.subarray(from, to), this.#outEnd);
    this.#outEnd += to - from;
  }

  #reserve(octets: number): void {
    const out = this.#out!;
    if (this.#outEnd + octets <= out.length) return;
    const grown = new Uint8Array(Math.max(out.length * 2, this.#outEnd + octets));
    grown.set(out.subarray(0, this.#outEnd));
    this.#out = grown;
  }
}
