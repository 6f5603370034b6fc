/**
 * A `ByteStream` over a `node:net` socket, for listeners that offer STARTTLS: Deno's own connections can't take the
 * server's side of an upgrade.
 */

import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import {
  type ByteStream,
  plainAddress,
  StreamBrokenError,
  StreamClosedError,
  type UpgradableStream,
} from "./byte_stream.ts";

/** What a `node:net` socket reads with; Deno's has these methods, as Node's does, and neither publishes them. */
interface ReadHandle {
  readStart(): void;
  readStop(): void;
}

/** Wraps a connected socket (plain, or a TLSSocket after its handshake) and owns it from then on. */
export class NodeStream implements ByteStream {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly isSecure: boolean;
  protected readonly socket: Socket;
  /**
   * Under TLS, what reads the octets that carry it, while somebody waits for them and no longer: Deno (2.9.6) goes on
   * reading for a TLSSocket that nobody reads from, into memory without bound.
   */
  readonly #below: ReadHandle | undefined;
  #closed = false;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param below Under TLS: the socket that carries it. */
  constructor(socket: Socket, below: Socket = socket) {
    this.socket = socket;
    this.isSecure = socket instanceof TLSSocket;
    this.remoteAddress = plainAddress(below.remoteAddress ?? "");
    this.localAddress = plainAddress(below.localAddress ?? "");
    this.#below = this.isSecure ? (below as { _handle?: ReadHandle })._handle : undefined;
    this.#below?.readStop();
    socket.setNoDelay(true);
    socket.on("readable", this.#onReadable);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onEnd);
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw new StreamClosedError();
      const chunk = this.#take(into.length);
      if (chunk !== null) {
        into.set(chunk);
        return chunk.length;
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
      this.socket.write(octets, (error) => {
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
    this.socket.destroy();
    this.#notify();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Takes the socket out of this stream without closing it. */
  protected release(): void {
    this.#closed = true;
    this.socket.off("readable", this.#onReadable);
    this.socket.off("end", this.#onEnd);
    this.socket.off("error", this.#onError);
    this.socket.off("close", this.#onEnd);
  }

  async #untilReadable(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#below?.readStart();
    await woken;
    if (!this.#closed) this.#below?.readStop();
  }

  #take(limit: number): Uint8Array | null {
    const available = this.socket.readableLength;
    return available === 0 ? this.socket.read() : this.socket.read(Math.min(limit, available));
  }

  #onReadable = (): void => this.#notify();

  #onEnd = (): void => {
    this.#ended = true;
    this.#notify();
  };

  #onError = (error: Error): void => {
    this.#failure = error;
    this.#notify();
  };

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** A plain connection of a listener that offers STARTTLS. */
export class StarttlsStream extends NodeStream implements UpgradableStream {
  readonly #secureContext: () => SecureContext;
  #upgrading: TLSSocket | undefined;

  /** @param secureContext Gives the certificate that is current when the upgrade happens. */
  constructor(socket: Socket, secureContext: () => SecureContext) {
    super(socket);
    this.#secureContext = secureContext;
  }

  /** Closes; a handshake under way fails. After it the upgraded stream owns the connection. */
  override close(): void {
    super.close();
    this.#upgrading?.destroy();
  }

  startTls(): Promise<ByteStream> {
    const below = this.socket;
    this.release();
    // It would say nothing any more, neither that it is secure nor that it has ended.
    if (below.destroyed) return Promise.reject(new StreamBrokenError("closed before the TLS handshake"));
    const tls = new TLSSocket(below, { isServer: true, secureContext: this.#secureContext() });
    this.#upgrading = tls;
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        this.#upgrading = undefined;
        tls.off("secure", onSecure);
        tls.off("error", settle);
        tls.off("close", onClose);
        tls.off("end", onClose);
        tls.off("readable", onReadable);
        if (!error) return resolve(new NodeStream(tls, below));
        tls.on("error", () => {}); // A second error of the same broken handshake has nobody to tell.
        tls.destroy();
        reject(new StreamBrokenError(error.message, { cause: error }));
      };
      const onSecure = () => settle();
      const onClose = () => settle(new Error("closed during the TLS handshake"));
      tls.on("secure", onSecure);
      tls.on("error", settle);
      tls.on("close", onClose);
      tls.on("end", onClose);
      // A socket that nobody wants to read from doesn't say that it has ended.
      const onReadable = () => {};
      tls.on("readable", onReadable);
    });
  }
}
