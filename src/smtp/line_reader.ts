/** Lines and raw octets out of a byte stream, on demand: nothing is read before somebody asks for it. */

const CR = 0x0d;
const LF = 0x0a;

/** Where the octets come from. */
export interface ByteSource {
  /** Fills a part of `into`; resolves to the number of octets (at least 1), or to null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
}

/** What `takeLine` found: a line without its line end, `"too-long"` in place of one that exceeds the limit, or nothing yet. */
export type LineResult = Uint8Array | "too-long" | undefined;

const LINE_BUFFER_OCTETS = 2048;
/** An over-long line is read past up to here; a peer that sends more without a line end is no SMTP peer. */
const MAX_DISCARDED_OCTETS = 1 << 20;

/** A line without end: over a mebibyte and no LF. */
export class EndlessLineError extends Error {
  override readonly name = "EndlessLineError";
  readonly code = "ENDLESS_LINE";
  constructor() {
    super(`Cannot read a line: no line end within ${MAX_DISCARDED_OCTETS} octets`);
  }
}

/**
 * Reads one stream. Views that it returns are valid until the next call that reads.
 *
 * At rest it holds a small buffer; for mail data a large one is lent to it (`useBuffer`).
 */
export class LineReader {
  readonly #source: ByteSource;
  #own: Uint8Array;
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  /** No LF before this index. */
  #scanned = 0;
  #discarded = 0;
  #isReading = false;
  /** The last read, over unless `#isReading`. */
  #read: Promise<boolean> | undefined;
  #bareLineEnd = false;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#own = new Uint8Array(LINE_BUFFER_OCTETS);
    this.#buffer = this.#own;
  }

  /** Octets that were read and not yet taken. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Whether a read is under way: somebody waits for the peer. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether the line taken last ended in LF alone. */
  get endedInBareLf(): boolean {
    return this.#bareLineEnd;
  }

  /**
   * Takes a line that is in the buffer.
   *
   * @param maxOctets Longest line with its line end.
   */
  takeLine(maxOctets: number): LineResult {
    const buffer = this.#buffer;
    let at = this.#scanned;
    while (at < this.#end && buffer[at] !== LF) at++;
    this.#scanned = at;
    if (at === this.#end) {
      if (this.#end - this.#start >= maxOctets) this.#discard();
      return undefined;
    }
    const start = this.#start;
    this.#start = this.#scanned = at + 1;
    const tooLong = this.#discarded > 0 || at + 1 - start > maxOctets;
    this.#discarded = 0;
    if (tooLong) return "too-long";
    this.#bareLineEnd = at === start || buffer[at - 1] !== CR;
    return buffer.subarray(start, this.#bareLineEnd ? at : at - 1);
  }

  /** Takes a line, reading as needed; null at the end of the stream (an unfinished last line is dropped). */
  async readLine(maxOctets: number): Promise<Uint8Array | "too-long" | null> {
    for (;;) {
      const line = this.takeLine(maxOctets);
      if (line !== undefined) return line;
      if (!await this.fill()) return null;
    }
  }

  /** All that is in the buffer; take what was used with `consume`. */
  peek(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Takes octets off the front. */
  consume(octets: number): void {
    this.#start += octets;
    this.#scanned = Math.max(this.#scanned, this.#start);
    if (this.#start === this.#end) this.#start = this.#end = this.#scanned = 0;
  }

  /** Drops what is in the buffer, for STARTTLS (RFC 3207 §4.2). Returns how many octets it was. */
  discardBuffered(): number {
    const octets = this.buffered;
    this.consume(octets);
    return octets;
  }

  /**
   * Reads once, waiting for the stream. A read that is under way is joined, so an idle connection can be watched by a
   * `fill` that its next user takes over.
   *
   * @returns false at the end of the stream.
   */
  fill(): Promise<boolean> {
    if (!this.#isReading) {
      this.#isReading = true;
      this.#read = this.#fill();
    }
    return this.#read!;
  }

  /** Lends a buffer, for as long as mail data flows. What is in the present one moves over; no read may be under way. */
  useBuffer(buffer: Uint8Array): void {
    this.#moveTo(buffer);
  }

  /** Goes back to the reader's own buffer, which grows if what is left needs it. No read may be under way. */
  returnBuffer(): void {
    if (this.buffered > this.#own.length) this.#own = new Uint8Array(this.buffered);
    this.#moveTo(this.#own);
  }

  async #fill(): Promise<boolean> {
    try {
      this.#makeRoom();
      const octets = await this.#source.read(this.#buffer.subarray(this.#end));
      if (octets === null) return false;
      this.#end += octets;
      return true;
    } finally {
      this.#isReading = false;
    }
  }

  #makeRoom(): void {
    if (this.#start === this.#end) {
      this.#start = this.#end = this.#scanned = 0;
      this.#shrink();
    }
    if (this.#end < this.#buffer.length) return;
    if (this.#start > 0) {
      this.#moveTo(this.#buffer);
      return;
    }
    // A line longer than the buffer and still within its limit (AUTH: RFC 4954 §4 asks for 12,288 octets).
    this.#own = new Uint8Array(this.#buffer.length * 2);
    this.#moveTo(this.#own);
  }

  /** What a long line or a long group has made large does not stay so for the rest of the session. */
  #shrink(): void {
    if (this.#own.length === LINE_BUFFER_OCTETS || this.#buffer !== this.#own) return;
    this.#own = this.#buffer = new Uint8Array(LINE_BUFFER_OCTETS);
  }

  #moveTo(buffer: Uint8Array): void {
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#scanned -= this.#start;
    this.#start = 0;
    this.#buffer = buffer;
  }

  #discard(): void {
    this.#discarded += this.#end - this.#start;
    if (this.#discarded > MAX_DISCARDED_OCTETS) throw new EndlessLineError();
    this.#start = this.#end = this.#scanned = 0;
  }
}
