/** The Received field (RFC 5321 §4.4) for those who want one. */

import type { Hello } from "./session_state.ts";

export interface TraceOptions {
  readonly hello: Hello;
  readonly clientAddress: string;
  readonly hostname: string;
  readonly isSecure: boolean;
  readonly isSignedIn: boolean;
  /** Whether MAIL carried SMTPUTF8. */
  readonly smtputf8: boolean;
  /** The session and the message in it. */
  readonly id: string;
  readonly date: Date;
}

/** Writes the field with its CRLF. Recipients are not named: one must not learn of another. */
export function traceField(options: TraceOptions): Uint8Array {
  const { hello, clientAddress, hostname, id, date } = options;
  const literal = clientAddress.includes(":") ? `IPv6:${clientAddress}` : clientAddress;
  const name = hello.name.replace(/[^\w.:[\]-]/g, "?");
  return new TextEncoder().encode(
    `Received: from ${name} ([${literal}])\r\n\tby ${hostname} with ${protocol(options)} id ${id};\r\n\t${
      formatDate(date)
    }\r\n`,
  );
}

/** RFC 3848, and RFC 6531 §4.3 with SMTPUTF8: S inside TLS, then A after AUTH. Plain SMTP, after HELO, knows neither. */
function protocol({ hello, isSecure, isSignedIn, smtputf8 }: TraceOptions): string {
  if (!hello.isExtended && !smtputf8) return "SMTP";
  return `${smtputf8 ? "UTF8SMTP" : "ESMTP"}${isSecure ? "S" : ""}${isSignedIn ? "A" : ""}`;
}

/** RFC 5322 §3.3, in UTC. */
function formatDate(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}
