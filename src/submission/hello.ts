/** The answer to EHLO and HELO (RFC 5321 §4.1.1.1): what is offered here, and nothing that can't be kept. */

import type { ListenerSettings } from "../config/settings.ts";
import type { RelayOffer } from "../relay/relay.ts";
import { Reply } from "../smtp/reply.ts";
import { REPLIES } from "./replies.ts";
import type { Hello } from "./session_state.ts";

/** RFC 5321 §4.5.3.1.2. A longer name would not fit into a trace field's line either. */
const MAX_NAME_OCTETS = 255;

export interface HelloOptions {
  readonly hostname: string;
  readonly listener: ListenerSettings;
  readonly isSecure: boolean;
  /** What the account's provider, or every provider in use, can take. */
  readonly offer: RelayOffer;
}

/** Whether AUTH may be used on a connection: inside TLS, or where the listener asks for none. */
export function permitsAuth(listener: ListenerSettings, isSecure: boolean): boolean {
  return listener.account === undefined && (isSecure || !listener.requireTlsForAuth);
}

/** Why a name can't be taken, if so. */
export function nameRefusal(name: string): Reply | undefined {
  if (name === "") return REPLIES.helloNeedsName;
  return new TextEncoder().encode(name).length > MAX_NAME_OCTETS ? REPLIES.helloNameTooLong : undefined;
}

/** Makes the reply. */
export function helloReply(
  hello: Hello,
  { hostname, listener, isSecure, offer }: HelloOptions,
): Reply {
  if (!hello.isExtended) return Reply.of(250, "", hostname);
  const lines = [
    hostname,
    "PIPELINING",
    offer.messageOctets === undefined ? "SIZE" : `SIZE ${offer.messageOctets}`,
  ];
  if (offer.extensions.has("8BITMIME")) lines.push("8BITMIME");
  // An SMTPUTF8 server must offer 8BITMIME, too (RFC 6531 §3.1).
  if (offer.extensions.has("SMTPUTF8") && offer.extensions.has("8BITMIME")) lines.push("SMTPUTF8");
  if (offer.extensions.has("DSN")) lines.push("DSN");
  lines.push("ENHANCEDSTATUSCODES");
  if (offer.recipientsPerMessage !== undefined) lines.push(`LIMITS RCPTMAX=${offer.recipientsPerMessage}`);
  if (listener.security === "starttls" && !isSecure) lines.push("STARTTLS");
  if (permitsAuth(listener, isSecure)) lines.push("AUTH PLAIN LOGIN");
  return Reply.of(250, "", lines);
}
