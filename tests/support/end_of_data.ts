/**
 * Where mail data ends, by the book and by the books of servers that can be smuggled into: some take other line
 * ends than CRLF around the dot (RFC 5321 §4.1.1.4; CVE-2023-51764, -51765, -51766).
 */

import { Buffer } from "node:buffer";

/** `strict`: CRLF.CRLF alone. The others take that and what their name says; `nul-stripping` first drops NULs. */
export type EndOfDataMode = "strict" | "LF.LF" | "LF.CRLF" | "CR.CR" | "CRLF.CR" | "nul-stripping";

const TERMINATORS: Record<EndOfDataMode, readonly string[]> = {
  "strict": ["\r\n.\r\n"],
  "LF.LF": ["\r\n.\r\n", "\n.\n", "\n.\r\n"],
  "LF.CRLF": ["\r\n.\r\n", "\n.\r\n"],
  "CR.CR": ["\r\n.\r\n", "\r.\r"],
  "CRLF.CR": ["\r\n.\r\n", "\r\n.\r"],
  "nul-stripping": ["\r\n.\r\n"],
};

/** Finds the end of one message's data in the chunks as they come. */
export class EndOfDataScanner {
  readonly #mode: EndOfDataMode;
  /** The last octets seen, as long as a terminator less one. The line end of DATA itself counts as the first. */
  #tail = Buffer.from("\r\n");

  constructor(mode: EndOfDataMode) {
    this.#mode = mode;
  }

  /** @returns How many octets of `chunk` belong to the data with its terminator; undefined: all, and it goes on. */
  push(chunk: Uint8Array): number | undefined {
    if (this.#mode === "nul-stripping") return this.#pushWithoutNuls(chunk);
    return this.#push(chunk);
  }

  #push(chunk: Uint8Array): number | undefined {
    const window = Buffer.concat([this.#tail, chunk]);
    const ends = TERMINATORS[this.#mode]
      .map((terminator) => [window.indexOf(terminator, 0, "latin1"), terminator.length] as const)
      .filter(([start]) => start >= 0)
      .map(([start, length]) => start + length - this.#tail.length)
      .filter((end) => end > 0);
    if (ends.length > 0) return Math.min(...ends);
    this.#tail = window.subarray(-4);
    return undefined;
  }

  #pushWithoutNuls(chunk: Uint8Array): number | undefined {
    if (!chunk.includes(0)) return this.#push(chunk);
    for (const [index, octet] of chunk.entries()) {
      if (octet !== 0 && this.#push(Uint8Array.of(octet)) !== undefined) return index + 1;
    }
    return undefined;
  }
}

/**
 * Undoes the transparency procedure (RFC 5321 §4.5.2).
 *
 * @param body Octets after DATA with the terminator at the end.
 * @returns Mail data, with the CRLF of its last line.
 */
export function decodeMailData(body: Uint8Array): Uint8Array {
  const data = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const kept: Uint8Array[] = [];
  let start = data[0] === 0x2e ? 1 : 0;
  const end = data.lastIndexOf(0x2e);
  for (let at = data.indexOf("\r\n.", start); at >= 0 && at + 2 < end; at = data.indexOf("\r\n.", start)) {
    kept.push(data.subarray(start, at + 2));
    start = at + 3;
  }
  kept.push(data.subarray(start, Math.max(start, end)));
  return Uint8Array.from(Buffer.concat(kept));
}
