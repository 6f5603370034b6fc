/**
 * The messages of the bench: a first header field with the message's number, and a body without any dot, so that
 * finding the end of data costs the sink a memory scan and not a look at every line.
 */

const NUMBER_DIGITS = 16;
const FIELD_NAME = "X-Bench-Number: ";
const LINE = "The quick brown fox jumps over the lazy dog and then does it all over again\r\n";
/** Messages up to this size are one buffer for each session, and one write; of larger ones the rest is shared. */
const OWN_OCTETS = 128 * 1024;

/** Octets from the start of a message to the end of its number. */
export const NUMBER_END_OCTETS = FIELD_NAME.length + NUMBER_DIGITS;

/** A message that is numbered anew for each transaction. */
export class MessageTemplate {
  /** What goes over the wire after 354, in order: the message and the end-of-data line (RFC 5321 §4.1.1.4). */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];

  private constructor(parts: readonly Uint8Array<ArrayBuffer>[]) {
    this.parts = parts;
  }

  /** @param octets Size of the message without the end-of-data line; made longer if the header needs it. */
  static create(octets: number): MessageTemplate {
    const header = `${FIELD_NAME}${"0".repeat(NUMBER_DIGITS)}\r\nFrom: <bench@localhost>\r\n` +
      `To: <sink@localhost>\r\nSubject: a message of the bench\r\n\r\n`;
    const bodyEnd = Math.max(octets, header.length + 2);
    const bytes = new Uint8Array(bodyEnd + 3);
    const encoder = new TextEncoder();
    bytes.set(encoder.encode(header));
    const line = encoder.encode(LINE);
    for (let at = header.length; at < bodyEnd; at += line.length) {
      bytes.set(line.subarray(0, Math.min(line.length, bodyEnd - at)), at);
    }
    bytes.set(encoder.encode("\r\n.\r\n"), bodyEnd - 2);
    if (bytes.length <= OWN_OCTETS) return new MessageTemplate([bytes]);
    return new MessageTemplate([bytes.subarray(0, OWN_OCTETS), bytes.subarray(OWN_OCTETS)]);
  }

  /** @returns The same message for another session, which numbers it for itself. */
  copy(): MessageTemplate {
    const [own, ...shared] = this.parts;
    return new MessageTemplate([own!.slice(), ...shared]);
  }

  /** Writes `number` into the header field, digits only, without making a string. */
  setNumber(number: number): void {
    const bytes = this.parts[0]!;
    let rest = number;
    for (let at = NUMBER_END_OCTETS - 1; at >= FIELD_NAME.length; at--) {
      bytes[at] = 0x30 + rest % 10;
      rest = Math.floor(rest / 10);
    }
  }
}

/** Reads the number of the message that begins at `start`; all of its digits must be there. */
export function readMessageNumber(bytes: Uint8Array, start: number): number {
  let number = 0;
  for (let at = start + FIELD_NAME.length; at < start + NUMBER_END_OCTETS; at++) {
    number = number * 10 + (bytes[at] ?? 0x30) - 0x30;
  }
  return number;
}
