/** The Received field (RFC 5321 §4.4) for those who want one. */

export interface TraceOptions {
  readonly hello: string;
  readonly clientAddress: string;
  readonly hostname: string;
  readonly isSecure: boolean;
  readonly isSignedIn: boolean;
  /** The session and the message in it. */
  readonly id: string;
  readonly date: Date;
}

/** Writes the field with its CRLF. Recipients are not named: one must not learn of another. */
export function traceField(options: TraceOptions): Uint8Array {
  const { hello, clientAddress, hostname, isSecure, isSignedIn, id, date } = options;
  const literal = clientAddress.includes(":") ? `IPv6:${clientAddress}` : clientAddress;
  // RFC 3848: ESMTP, then S inside TLS, then A after AUTH.
  const protocol = `ESMTP${isSecure ? "S" : ""}${isSignedIn ? "A" : ""}`;
  const name = hello.replace(/[^\w.:[\]-]/g, "?");
  return new TextEncoder().encode(
    `Received: from ${name} ([${literal}])\r\n\tby ${hostname} with ${protocol} id ${id};\r\n\t${
      formatDate(date)
    }\r\n`,
  );
}

/** RFC 5322 §3.3, in UTC. */
function formatDate(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}
