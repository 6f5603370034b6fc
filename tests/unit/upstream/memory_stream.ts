/** The far end of a connection in memory: the test is the provider. */

import { type ByteStream, StreamBrokenError, StreamClosedError } from "../../../src/transport/byte_stream.ts";

/** Answers each line that was written, or says nothing. */
export type Answer = (line: string) => string | undefined;

/** A stream without a socket. Unless told otherwise it answers QUIT and nothing else. */
export class MemoryStream implements ByteStream {
  readonly remoteAddress = "192.0.2.25";
  readonly localAddress = "192.0.2.1";
  readonly isSecure = true;
  /** Each write as text. */
  readonly writes: string[] = [];
  isClosed = false;
  /** While set, writes wait for it. */
  stalledBy: Promise<void> | undefined;
  /** Told of the first `close`. */
  onClose: () => void = () => {};
  answer: Answer;
  #incoming: Uint8Array[] = [];
  #end: null | Error | undefined;
  #wake: (() => void) | undefined;

  constructor(answer: Answer = (line) => line === "QUIT" ? "221 2.0.0 Bye" : undefined) {
    this.answer = answer;
  }

  /** The provider says this line. */
  say(line: string): void {
    this.push(`${line}\r\n`);
  }

  /** The provider sends these octets. */
  push(text: string): void {
    this.#incoming.push(new TextEncoder().encode(text));
    this.#wake?.();
  }

  /** The provider ends the connection: FIN, or a reset. */
  end(how: "close" | "reset"): void {
    this.#end = how === "close" ? null : new StreamBrokenError("Connection reset by peer");
    this.#wake?.();
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.isClosed) throw new StreamClosedError();
      const octets = this.#incoming.shift();
      if (octets) {
        const taken = octets.subarray(0, into.length);
        into.set(taken);
        if (taken.length < octets.length) this.#incoming.unshift(octets.subarray(taken.length));
        return taken.length;
      }
      if (this.#end !== undefined) {
        if (this.#end) throw this.#end;
        return null;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.isClosed) throw new StreamClosedError();
    if (this.#end) throw this.#end;
    const text = new TextDecoder().decode(octets);
    this.writes.push(text);
    await this.stalledBy;
    for (const line of text.split("\r\n").slice(0, -1)) {
      const answer = this.answer(line);
      if (answer !== undefined) this.say(answer);
    }
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#wake?.();
    this.onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
