/** The AUTH command (RFC 4954) with PLAIN (RFC 4616) and LOGIN, up to the credentials. */

import { decodeBase64 } from "../sasl/base64.ts";
import type { Credentials } from "../sasl/credentials.ts";
import { parseLogin, PASSWORD_CHALLENGE, USERNAME_CHALLENGE } from "../sasl/login.ts";
import { parsePlain } from "../sasl/plain.ts";
import { Reply } from "../smtp/reply.ts";
import { REPLIES } from "./replies.ts";

/** Longest response line, CRLF included (RFC 4954 §4). */
export const MAX_RESPONSE_OCTETS = 12_288;

/** Sends a challenge and reads the response line; null when the client is gone. */
export type Challenge = (reply: Reply) => Promise<Uint8Array | "too-long" | null>;

/** Runs the dialogue. @returns the credentials, the reply that ends it, or null when the client is gone. */
export async function readCredentials(
  argument: string,
  challenge: Challenge,
): Promise<Credentials | Reply | null> {
  const [mechanism = "", initialResponse, ...rest] = argument.split(" ");
  if (rest.length > 0) return REPLIES.authMalformed;
  switch (mechanism.toUpperCase()) {
    case "PLAIN": {
      const message = await respond(initialResponse, "", challenge);
      if (!(message instanceof Uint8Array)) return message;
      return parsePlain(message) ?? REPLIES.authMalformed;
    }
    case "LOGIN": {
      // LOGIN is server-first by its drafts, yet many clients send the user name at once.
      const username = await respond(initialResponse, USERNAME_CHALLENGE, challenge);
      if (!(username instanceof Uint8Array)) return username;
      const password = await respond(undefined, PASSWORD_CHALLENGE, challenge);
      if (!(password instanceof Uint8Array)) return password;
      return parseLogin(username, password) ?? REPLIES.authMalformed;
    }
    default:
      return REPLIES.authUnknownMechanism;
  }
}

async function respond(
  initialResponse: string | undefined,
  prompt: string,
  challenge: Challenge,
): Promise<Uint8Array | Reply | null> {
  // "=" stands for a response of no octets (RFC 4954 §4).
  if (initialResponse === "=") return new Uint8Array();
  if (initialResponse !== undefined && initialResponse !== "") {
    return decodeBase64(initialResponse) ?? REPLIES.authMalformed;
  }
  const line = await challenge(Reply.of(334, "", prompt));
  if (line === null) return null;
  if (line === "too-long") return REPLIES.authLineTooLong;
  const text = new TextDecoder("latin1").decode(line);
  if (text === "*") return REPLIES.authCancelled;
  return decodeBase64(text) ?? REPLIES.authMalformed;
}
