/** The one shape in which the rest of the program sees a connection, whatever carries it. */

import type { ByteSource } from "../smtp/line_reader.ts";

/** A connected, ordered stream of octets in both directions. */
export interface ByteStream extends ByteSource, Disposable {
  /** Address of the peer, IPv4-mapped IPv6 addresses in their IPv4 form. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Whether the octets travel inside TLS. */
  readonly isSecure: boolean;
  /** Writes all of `octets`; one write at a time. Waits until the system has taken them: that is the back-pressure. */
  write(octets: Uint8Array): Promise<void>;
  /** Releases the connection at once; a read or write under way rejects with `StreamClosedError`. Harmless when repeated. */
  close(): void;
}

/** A stream whose server side can be upgraded by STARTTLS (RFC 3207). */
export interface UpgradableStream extends ByteStream {
  /** Runs the server's side of the TLS handshake on this connection; this stream is used up. */
  startTls(): Promise<ByteStream>;
}

/** Whether `stream` can be upgraded. */
export function isUpgradable(stream: ByteStream): stream is UpgradableStream {
  return "startTls" in stream;
}

/** The stream was closed from this side. */
export class StreamClosedError extends Error {
  override readonly name = "StreamClosedError";
  readonly code = "STREAM_CLOSED";
  constructor(options?: ErrorOptions) {
    super("Cannot use the connection: it was closed on this side", options);
  }
}

/** The connection broke: reset, or ended where TLS or the protocol did not expect it. */
export class StreamBrokenError extends Error {
  override readonly name = "StreamBrokenError";
  readonly code = "STREAM_BROKEN";
  constructor(reason: string, options?: ErrorOptions) {
    super(`Cannot use the connection: ${reason}`, options);
  }
}

/** `::ffff:192.0.2.1` as `192.0.2.1`, so that access lists and logs know one form of an address. */
export function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}
