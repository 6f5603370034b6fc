/**
 * The server's side of TLS on a connection of Deno's. Deno's own connections can't take that side in an upgrade (RFC
 * 3207); node's `TLSSocket` can, over any Duplex. Sockets that `node:net` accepts are no way around that: its listeners
 * (Deno 2.9.6) accept nothing any more, without a word, once descriptors ran out.
 */

import { Duplex } from "node:stream";
import { type SecureContext, TLSSocket } from "node:tls";
import {
  type ByteStream,
  StreamBrokenError,
  StreamClosedError,
  type UpgradableStream,
} from "./byte_stream.ts";
import { DenoStream } from "./deno_stream.ts";

/** What a read has room for: little at rest, since there may be thousands of sessions, and more while a lot comes. */
const OCTETS_AT_REST = 2048;
const OCTETS_IN_FLOW = 65_536;

/** A connection that a listener with STARTTLS or implicit TLS has accepted: in clear until `startTls`. */
export class StarttlsStream extends DenoStream implements UpgradableStream {
  readonly #secureContext: () => SecureContext;

  /** @param secureContext Gives the certificate that is current when the upgrade happens. */
  constructor(conn: Deno.TcpConn, secureContext: () => SecureContext) {
    super(conn);
    this.#secureContext = secureContext;
  }

  /** @throws {StreamBrokenError} The handshake failed, or this stream was closed in it. */
  startTls(): Promise<ByteStream> {
    const carrier = new Carrier(this);
    const tls = new TLSSocket(carrier, { isServer: true, secureContext: this.#secureContext() });
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        tls.off("secure", onSecure);
        tls.off("error", settle);
        for (const end of ["end", "close"]) tls.off(end, onEnd);
        carrier.off("close", onEnd);
        tls.off("readable", onReadable);
        if (!error) return resolve(new TlsServerStream(tls, carrier, this));
        tls.on("error", () => {}); // A second error of the same broken handshake has nobody to tell.
        tls.destroy();
        carrier.destroy();
        reject(new StreamBrokenError(error.message, { cause: error }));
      };
      const onSecure = () => settle();
      const onEnd = () => settle(carrier.errored ?? new Error("closed during the TLS handshake"));
      // A socket that nobody wants to read from doesn't say that it has ended.
      const onReadable = () => {};
      tls.on("secure", onSecure);
      tls.on("error", settle);
      for (const end of ["end", "close"]) tls.on(end, onEnd);
      carrier.on("close", onEnd);
      tls.on("readable", onReadable);
      carrier.flow(true);
    });
  }
}

/** What a `TLSSocket` reads its records from, and writes them to. */
class Carrier extends Duplex {
  readonly #below: ByteStream;
  #room = OCTETS_AT_REST;
  #isAsked = false;
  #isFlowing = false;

  constructor(below: ByteStream) {
    super({ allowHalfOpen: true });
    this.#below = below;
    // The TLSSocket passes it on; without a listener it would end the process.
    this.on("error", () => {});
  }

  /**
   * Whether records may be read. Deno's TLSSocket (2.9.6) reads on where nobody reads from it, into memory without bound,
   * so that they may only while somebody waits for what is in them.
   */
  flow(isFlowing: boolean): void {
    this.#isFlowing = isFlowing;
    this.#pull();
  }

  override _read(): void {
    this.#isAsked = true;
    this.#pull();
  }

  override _write(octets: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#below.write(octets).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#below.close();
    done(error);
  }

  #pull(): void {
    if (!this.#isAsked || !this.#isFlowing) return;
    this.#isAsked = false;
    const into = new Uint8Array(this.#room);
    this.#below.read(into).then((octets) => {
      this.#room = octets === into.length ? OCTETS_IN_FLOW : OCTETS_AT_REST;
      this.push(octets === null ? null : into.subarray(0, octets));
    }, (error) => this.destroy(error));
  }
}

/** What travels inside TLS, after the handshake. Owns the connection. */
class TlsServerStream implements ByteStream {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly isSecure = true;
  readonly #tls: TLSSocket;
  readonly #carrier: Carrier;
  #closed = false;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(tls: TLSSocket, carrier: Carrier, { remoteAddress, localAddress }: ByteStream) {
    this.remoteAddress = remoteAddress;
    this.localAddress = localAddress;
    this.#tls = tls;
    this.#carrier = carrier;
    // It may have ended in the records of the handshake.
    this.#ended = carrier.readableEnded;
    carrier.flow(false);
    tls.on("readable", () => this.#notify());
    tls.on("error", (error) => this.#fail(error));
    tls.on("end", () => this.#end());
    tls.on("close", () => this.#end());
    // Deno's TLSSocket (2.9.6) doesn't always hear of it.
    carrier.on("end", () => this.#end());
    carrier.on("close", () => carrier.errored ? this.#fail(carrier.errored) : this.#end());
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw new StreamClosedError();
      const octets = this.#take(into.length);
      if (octets !== null) {
        into.set(octets);
        return octets.length;
      }
      if (this.#failure) throw new StreamBrokenError(this.#failure.message, { cause: this.#failure });
      if (this.#ended) return null;
      await this.#untilReadable();
    }
  }

  write(octets: Uint8Array): Promise<void> {
    // The caller may reuse its buffer as soon as the write resolves, and node keeps a reference until it is flushed:
    // the callback comes then, so waiting for it is both the back-pressure and the ownership rule.
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StreamClosedError());
      this.#tls.write(octets, (error) => {
        if (!error) return resolve();
        reject(
          this.#closed
            ? new StreamClosedError({ cause: error })
            : new StreamBrokenError(error.message, { cause: error }),
        );
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tls.destroy();
    this.#carrier.destroy();
    this.#notify();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #untilReadable(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#carrier.flow(true);
    await woken;
    this.#carrier.flow(false);
  }

  #take(limit: number): Uint8Array | null {
    const available = this.#tls.readableLength;
    return available === 0 ? this.#tls.read() : this.#tls.read(Math.min(limit, available));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#notify();
  }

  #end(): void {
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
