/** SMTP replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034, RFC 3463): made here, or kept as a server sent them. */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const HYPHEN = 0x2d;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** A reply of one or more lines. The octets are what travels; the rest is read off them when asked for. */
export class Reply {
  /**
   * @param code Three digits, 200 to 599.
   * @param octets All lines, each with the code in front and CRLF behind.
   */
  constructor(readonly code: number, readonly octets: Uint8Array) {}

  /**
   * Makes a reply.
   *
   * @param enhancedCode For 2yz, 4yz and 5yz replies, `x.y.z` with the same first digit; `""` for 3yz, the greeting and EHLO,
   * which carry none (RFC 2034 §4).
   * @param text One line, or several for a multi-line reply. Control characters become spaces, so that no text from
   * elsewhere can start a line of its own.
   */
  static of(code: number, enhancedCode: string, text: string | readonly string[]): Reply {
    const lines = typeof text === "string" ? [text] : text;
    const prefix = enhancedCode === "" ? "" : `${enhancedCode} `;
    const last = lines.length - 1;
    const encoded = lines.map((line, i) => `${code}${i === last ? " " : "-"}${prefix}${printable(line)}\r\n`);
    return new Reply(code, encoder.encode(encoded.join("")));
  }

  /** 2yz: done as asked (RFC 5321 §4.2.1). A 3yz reply is a step on the way and not meant. */
  get isPositive(): boolean {
    return this.code < 300;
  }

  /** 4yz (RFC 5321 §4.2.1): the same command may succeed later. */
  get isTransient(): boolean {
    return this.code >= 400 && this.code < 500;
  }

  /** 5yz. */
  get isPermanent(): boolean {
    return this.code >= 500;
  }

  /** The text of each line, without code and separator. */
  get lines(): string[] {
    return decoder.decode(this.octets).split("\r\n").slice(0, -1).map((line) => line.slice(4));
  }

  /** The enhanced status code of the first line, if it has one. */
  get enhancedCode(): string | undefined {
    return /^([245]\.\d{1,3}\.\d{1,3})(?: |$)/.exec(this.lines[0] ?? "")?.[1];
  }

  /** All lines in one, the code in front, for logs. Providers' diagnostics can be very long: cut at `maxChars`. */
  text(maxChars = 300): string {
    const all = `${this.code} ${this.lines.join(" / ")}`;
    return all.length > maxChars ? `${all.slice(0, maxChars)}…` : all;
  }

  /** The same lines without these texts; a text that is broken across lines stays. */
  without(secrets: readonly string[]): Reply {
    const text = decoder.decode(this.octets);
    const safe = secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), text);
    return safe === text ? this : new Reply(this.code, encoder.encode(safe));
  }

  /** The same lines under another code, for replies that must not reach a client as they are. */
  withCode(code: number, enhancedCode: string): Reply {
    const bare = this.lines.map((line) => line.replace(/^[245]\.\d{1,3}\.\d{1,3}(?: |$)/, ""));
    return Reply.of(code, enhancedCode, bare);
  }
}

/** One line of a reply, taken apart. */
export interface ReplyLine {
  readonly code: number;
  readonly isLast: boolean;
}

/**
 * Reads the code and the separator of a reply line (RFC 5321 §4.2.1: `-` means that more lines follow).
 *
 * @param line The line without its line end.
 * @returns `undefined` when it is no reply line.
 */
export function parseReplyLine(line: Uint8Array): ReplyLine | undefined {
  if (line.length < 3) return undefined;
  const [hundreds, tens, ones] = [line[0]! - 48, line[1]! - 48, line[2]! - 48];
  if (hundreds < 2 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return undefined;
  const separator = line.length === 3 ? SPACE : line[3];
  if (separator !== SPACE && separator !== HYPHEN) return undefined;
  return { code: hundreds * 100 + tens * 10 + ones, isLast: separator === SPACE };
}

/**
 * Copies reply lines into octets that may be sent on: every line ends in CRLF, and a stray CR, LF or NUL inside a line
 * becomes a space, so that a server's reply can't be read as two.
 */
export function encodeReplyLines(lines: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const line of lines) length += Math.max(line.length, 4) + 2;
  const octets = new Uint8Array(length);
  let at = 0;
  for (const line of lines) {
    for (let i = 0; i < line.length; i++) {
      const octet = line[i]!;
      octets[at++] = octet === CR || octet === LF || octet === 0 ? SPACE : octet;
    }
    // "250" alone is legal to receive (RFC 5321 §4.2), but the space is expected by clients.
    if (line.length === 3) octets[at++] = SPACE;
    octets[at++] = CR;
    octets[at++] = LF;
  }
  return octets;
}

function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what it is about
  return text.replace(/[\x00-\x1f\x7f]+/g, " ");
}
