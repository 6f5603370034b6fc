/** Reads SMTP replies (RFC 5321 §4.2) as numbers, without making a string of any line. */

const LF = 0x0a;
const HYPHEN = 0x2d;

/** The client's end of one connection: hands out the code of one reply after the other. */
export class ReplyReader {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(8 * 1024);
  #start = 0;
  #end = 0;
  /** The last reply's last line, for error messages. */
  #lineStart = 0;
  #lineEnd = 0;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** @returns The code of the next reply that is already here, or 0. */
  take(): number {
    for (;;) {
      const lineFeed = this.#buffer.indexOf(LF, this.#start);
      if (lineFeed < 0 || lineFeed >= this.#end) return 0;
      const at = this.#start;
      this.#start = lineFeed + 1;
      if (this.#buffer[at + 3] === HYPHEN) continue;
      this.#lineStart = at;
      this.#lineEnd = lineFeed;
      return (this.#buffer[at]! - 0x30) * 100 + (this.#buffer[at + 1]! - 0x30) * 10 + this.#buffer[at + 2]! -
        0x30;
    }
  }

  /** Waits for more octets. @throws {Deno.errors.UnexpectedEof} When the server has closed the connection. */
  async fill(): Promise<void> {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const octets = await this.#conn.read(this.#buffer.subarray(this.#end));
    if (octets === null) {
      throw new Deno.errors.UnexpectedEof("Cannot read a reply: the server closed the connection");
    }
    this.#end += octets;
  }

  /** @returns The code of the next reply. */
  async next(): Promise<number> {
    let code = this.take();
    while (code === 0) {
      await this.fill();
      code = this.take();
    }
    return code;
  }

  /** Text of the line that `take` or `next` looked at last; valid until the next call. */
  lastLine(): string {
    return new TextDecoder().decode(this.#buffer.subarray(this.#lineStart, this.#lineEnd)).trimEnd();
  }
}
