/** The socket under a scripted upstream's dialogue: reads, sends, upgrades to TLS and does what the script says. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import type { CertificateAndKey } from "../../src/sandbox/certificates.ts";
import { SocketReader } from "./socket_reader.ts";
import type { Action, Ending } from "./upstream_script.ts";

/** Thrown through a dialogue that the script or the peer has ended. */
export class DialogueEnd extends Error {}

/** One connection's transport. */
export class UpstreamTransport {
  readonly #rawSocket: Socket;
  readonly #gone = new AbortController();
  #socket: Socket;
  #reader: SocketReader;
  #lastWrite: Promise<void> = Promise.resolve();
  #lastWritten = () => {};

  constructor(socket: Socket) {
    this.#rawSocket = socket;
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {}); // "close" follows
    socket.once("close", () => {
      this.#lastWritten();
      this.#gone.abort();
    });
  }

  /** Whether the connection is gone. */
  get closed(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Resolves when the connection is gone. */
  async untilClosed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone.signal.addEventListener("abort", () => resolve(), { once: true });
    if (!this.closed) await promise;
  }

  /** Sends lines and CRLF. */
  send(text: string): void {
    this.#write(`${text}\r\n`);
  }

  /** The next line with its line end; null at the connection's end. */
  readLine(): Promise<Buffer | null> {
    return this.#reader.readLine();
  }

  /** Whatever has come. @throws {DialogueEnd} At the connection's end. */
  async readSome(maxOctets?: number): Promise<Buffer> {
    const octets = await this.#reader.readSome(maxOctets);
    if (octets === null) throw new DialogueEnd();
    return octets;
  }

  /** Puts octets back in front. */
  unread(octets: Buffer): void {
    this.#reader.unread(octets);
  }

  /**
   * Shakes hands as a TLS server.
   *
   * @returns What had come in clear behind STARTTLS, which is dropped (RFC 3207 §4.2).
   * @throws {DialogueEnd} If the handshake fails.
   */
  async secure({ certificate, privateKey }: CertificateAndKey): Promise<Buffer> {
    const clearText = this.#reader.detach();
    const secureContext = tls.createSecureContext({ cert: certificate, key: privateKey });
    const socket = new tls.TLSSocket(this.#rawSocket, { isServer: true, secureContext });
    this.#socket = socket;
    const outcome = Promise.withResolvers<void>();
    const fail = () => outcome.reject(new DialogueEnd());
    socket.once("secure", outcome.resolve);
    socket.on("error", fail);
    this.#rawSocket.once("close", fail);
    try {
      await outcome.promise;
    } catch (error) {
      this.destroy();
      throw error;
    }
    this.#reader = new SocketReader(socket);
    return clearText;
  }

  /**
   * Does what the script says.
   *
   * @param beforeSending Is given a reply before it goes out.
   * @returns The reply that was sent; undefined: the default is still to come.
   * @throws {DialogueEnd} If the action ended the dialogue.
   */
  async perform(
    action: Action,
    beforeSending: (text: string) => void = () => {},
  ): Promise<string | undefined> {
    if (typeof action === "string") return await this.end(action);
    if ("until" in action || "delayMs" in action) {
      await this.#wait(action);
      return action.then === undefined ? undefined : await this.perform(action.then, beforeSending);
    }
    if ("accept" in action) {
      beforeSending("250 2.0.0 Accepted, but never said");
      return await this.end(action.then);
    }
    const text = "reply" in action ? [action.reply].flat().join("\r\n") : "drip" in action ? action.drip : "";
    beforeSending(text);
    if ("octets" in action) this.#write(action.octets);
    else if ("drip" in action) await this.#drip(action.drip, action.octetIntervalMs);
    else this.send(text);
    if (action.then !== undefined) await this.end(action.then);
    return text;
  }

  /** Ends the connection after what has been said. @throws {DialogueEnd} Always. */
  async end(ending: Ending): Promise<never> {
    if (ending === "close") this.#socket.end();
    if (ending === "reset") {
      await this.#lastWrite; // a reply before it gets a chance to arrive
      this.#rawSocket.resetAndDestroy();
    }
    throw new DialogueEnd();
  }

  /** Ends the connection from outside the dialogue; `421` says so first. */
  interrupt(how: "close" | "reset" | "421"): void {
    if (how === "reset") return void this.#rawSocket.resetAndDestroy();
    if (how === "421") this.send("421 4.4.2 upstream.test idle timeout, closing connection");
    this.#socket.end();
  }

  /** Drops the connection. */
  destroy(): void {
    this.#socket.destroy();
    this.#rawSocket.destroy();
  }

  #write(octets: Uint8Array | string): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastWrite = promise;
    this.#lastWritten = resolve;
    this.#socket.write(octets, () => resolve());
  }

  async #wait(action: { until: Promise<unknown> } | { delayMs: number }): Promise<void> {
    const { signal } = this.#gone;
    if ("delayMs" in action) return await sleep(action.delayMs, undefined, { signal });
    const gone = Promise.withResolvers<never>();
    const onGone = () => gone.reject(new DialogueEnd());
    signal.addEventListener("abort", onGone);
    try {
      await Promise.race([action.until, gone.promise]);
    } finally {
      signal.removeEventListener("abort", onGone);
    }
  }

  async #drip(text: string, octetIntervalMs: number): Promise<void> {
    for (const octet of Buffer.from(`${text}\r\n`)) {
      this.#write(Uint8Array.of(octet));
      await sleep(octetIntervalMs, undefined, { signal: this.#gone.signal });
    }
  }
}
