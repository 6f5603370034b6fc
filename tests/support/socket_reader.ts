/** Pull-style reading from a node socket, so that a dialogue can be written as a sequence of awaits. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** Octets kept before the peer is made to wait. */
const HIGH_WATER_OCTETS = 256 * 1024;

/** Reads one socket until `detach`. */
export class SocketReader {
  readonly #socket: Socket;
  #buffered: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onEnd);
  }

  /** The next line with its LF; null at the end, whatever octets are left. */
  async readLine(): Promise<Buffer | null> {
    let end: number;
    while ((end = this.#buffered.indexOf(0x0a)) < 0) {
      if (!await this.#more()) return null;
    }
    return this.#take(end + 1);
  }

  /** Whatever has come, at least one octet and at most `maxOctets`; null at the end. */
  async readSome(maxOctets = Infinity): Promise<Buffer | null> {
    while (this.#buffered.length === 0) {
      if (!await this.#more()) return null;
    }
    return this.#take(Math.min(maxOctets, this.#buffered.length));
  }

  /** Puts octets back in front. */
  unread(octets: Buffer): void {
    this.#buffered = Buffer.concat([octets, this.#buffered]);
  }

  /** Lets go of the socket. @returns What was read ahead. */
  detach(): Buffer {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onEnd);
    return this.#buffered;
  }

  readonly #onData = (chunk: Buffer) => {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    if (this.#buffered.length > HIGH_WATER_OCTETS) this.#socket.pause();
    this.#wake?.();
  };

  readonly #onEnd = () => {
    this.#ended = true;
    this.#wake?.();
  };

  #take(octets: number): Buffer {
    const taken = this.#buffered.subarray(0, octets);
    this.#buffered = this.#buffered.subarray(octets);
    return taken;
  }

  /** Waits for more octets. @returns False when there will be none. */
  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const before = this.#buffered.length;
    const woken = new Promise<void>((resolve) => this.#wake = resolve);
    this.#socket.resume();
    await woken;
    this.#wake = undefined;
    return this.#buffered.length > before;
  }
}
