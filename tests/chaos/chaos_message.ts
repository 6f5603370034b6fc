/** Messages whose every octet counts: canonical mail data with dots, 8-bit octets and lines of all lengths. */

import { Buffer } from "node:buffer";
import type { Random } from "./random.ts";

/** One message of one sender. */
export interface ChaosMessage {
  readonly id: string;
  readonly from: string;
  readonly to: readonly string[];
  /** As it travels: dots stuffed, with the line that ends it. */
  readonly wire: Uint8Array;
}

const CRLF = Buffer.from("\r\n");
const END = Buffer.from(".\r\n");
/** RFC 5321 §4.5.3.1.6, without CRLF. */
const longestLine = 998;

/** Makes a message; mostly small, at times some hundred kilobytes. */
export function createMessage(id: string, { from, random }: { from: string; random: Random }): ChaosMessage {
  const wantedOctets = random.chance(0.05) ? random.integer(50_000, 400_000) : random.integer(0, 6_000);
  const lines: Uint8Array[] = [Buffer.from(`Message-ID: <${id}@chaos.example>\r\nSubject: ${id}\r\n\r\n`)];
  for (let octets = 0; octets < wantedOctets;) {
    const line = textLine(random);
    octets += line.length + 2;
    lines.push(line, CRLF);
  }
  lines.push(END);
  const to = Array.from({ length: random.integer(1, 4) }, (_, index) => `to${index}@example.net`);
  return { id, from, to, wire: Uint8Array.from(Buffer.concat(lines)) };
}

/** The identifier in received mail data; undefined if its head is damaged. */
export function messageIdOf(body: Uint8Array): string | undefined {
  return /^Message-ID: <([^@]+)@chaos\.example>/.exec(Buffer.from(body.subarray(0, 200)).toString("latin1"))
    ?.[1];
}

function textLine(random: Random): Uint8Array {
  const length = random.chance(0.1) ? longestLine : random.integer(0, 120);
  const line = Buffer.alloc(length);
  for (let index = 0; index < length; index++) line[index] = textOctet(random);
  if (length === 0 || !random.chance(0.15)) {
    return line[0] === 0x2e ? Buffer.concat([Buffer.from("."), line]) : line;
  }
  return Buffer.concat([Buffer.from(".."), line.subarray(0, longestLine - 1)]);
}

/** Anything but NUL, CR and LF. */
function textOctet(random: Random): number {
  const octet = random.integer(1, 255);
  return octet === 0x0a || octet === 0x0d ? 0x20 : octet;
}
