/** A `ByteStream` over `Deno.Conn`: plain TCP and implicit TLS listeners, and every upstream connection. */

import { type ByteStream, plainAddress, StreamBrokenError, StreamClosedError } from "./byte_stream.ts";

/** Wraps a connected `Deno.Conn` and owns it from then on. */
export class DenoStream implements ByteStream {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly isSecure: boolean;
  readonly #conn: Deno.TcpConn | Deno.TlsConn;
  #closed = false;

  constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    this.#conn = conn;
    this.isSecure = "handshake" in conn;
    this.remoteAddress = plainAddress(conn.remoteAddr.hostname);
    this.localAddress = plainAddress(conn.localAddr.hostname);
  }

  async read(into: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(into);
    } catch (error) {
      throw this.#translate(error);
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    try {
      let written = await this.#conn.write(octets);
      while (written < octets.length) written += await this.#conn.write(octets.subarray(written));
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /**
   * As `ByteStream.close`. Of a TLS connection Deno (2.9.6) sends what it was given first: to a peer that reads nothing any
   * more the socket stays open until that closes it.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Not `close()`, which throws where an aborted dial has closed the socket beneath.
    this.#conn[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #translate(error: unknown): Error {
    if (this.#closed) return new StreamClosedError({ cause: error });
    return new StreamBrokenError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
