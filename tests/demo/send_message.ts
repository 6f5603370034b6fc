/** The demo's mail client: nodemailer, with its side of the dialogue written down. */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import nodemailer from "nodemailer";
import type { Endpoint } from "../../src/config/settings.ts";

/** A message, composed. */
export interface ComposedMessage {
  readonly from: string;
  readonly to: string;
  /** As it is to arrive: before dots are stuffed, ending in CRLF. */
  readonly octets: Buffer;
}

/** Composes a message with what relays like to break: dots, long lines, umlauts, an attachment. */
export async function composeMessage(from: string): Promise<ComposedMessage> {
  const to = "recipient@example.net";
  const composer = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  const { message } = await composer.sendMail({
    from,
    to,
    subject: "Grüße from the demo",
    text: [".", "..", ". a line that begins with a dot", "äöü €", "x".repeat(900), ".", "the end"].join(
      "\r\n",
    ),
    attachments: [{ filename: "random.bin", content: randomBytes(100_000) }],
  });
  const octets = message as Buffer;
  return {
    from,
    to,
    octets: octets.subarray(-2).toString() === "\r\n" ? octets : Buffer.concat([octets, CRLF]),
  };
}

const CRLF = Buffer.from("\r\n");

/** A message on its way. */
export interface SendOptions {
  readonly endpoint: Endpoint;
  readonly user: string;
  readonly password: string;
  readonly message: ComposedMessage;
}

/** Sends it by AUTH PLAIN without TLS, as to any local relay. @returns The dialogue, and the final reply. */
export async function sendMessage(
  { endpoint, user, password, message }: SendOptions,
): Promise<{ dialogue: string[]; reply: string }> {
  const dialogue: string[] = [];
  const transport = nodemailer.createTransport({
    host: endpoint.hostname,
    port: endpoint.port,
    secure: false,
    ignoreTLS: true,
    authMethod: "PLAIN",
    auth: { user, pass: password },
    debug: true,
    logger: dialogueLogger(dialogue),
  });
  try {
    const { response } = await transport.sendMail({
      envelope: { from: message.from, to: [message.to] },
      raw: message.octets,
    });
    return { dialogue, reply: response };
  } finally {
    transport.close();
  }
}

/** A nodemailer logger that keeps what went over the wire, but for the message and the password. */
function dialogueLogger(dialogue: string[]) {
  const write = (entry: { tnx?: string }, text: unknown) => {
    const side = entry.tnx === "client" ? "C" : entry.tnx === "server" ? "S" : undefined;
    if (side) {
      dialogue.push(
        ...String(text).trimEnd().split(/\r?\n/).map((line) => `${side}: ${withoutSecret(line)}`),
      );
    } else if (entry.tnx === "message" && dialogue.at(-1) !== THE_MESSAGE) dialogue.push(THE_MESSAGE);
  };
  return {
    level: () => {},
    trace: write,
    debug: write,
    info: write,
    warn: write,
    error: write,
    fatal: write,
  };
}

const THE_MESSAGE = "C: (the message)";

/** nodemailer blots the password out itself, but inside the base64, where nobody sees that it did. */
function withoutSecret(line: string): string {
  return line.replace(/^(AUTH PLAIN) .+$/, "$1 (user and password)");
}
