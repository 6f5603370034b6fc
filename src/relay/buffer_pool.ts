/** Large buffers for mail data, lent for the time of one message, so that idle sessions hold none. */

/** Four TLS records (RFC 8446 §5.1): large enough that reads and writes are few, small enough for many at once. */
export const DATA_BUFFER_OCTETS = 64 * 1024;

const MAX_FREE = 64;

/** Keeps a few returned buffers for the next message. */
export class BufferPool {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(DATA_BUFFER_OCTETS);
  }

  give(buffer: Uint8Array): void {
    if (this.#free.length < MAX_FREE) this.#free.push(buffer);
  }
}
