/** Lines of JSON as the proxy logs them, with the time of their arrival here. */

/** A line of the log; the daemon's own fields, whatever they are, are in `record`. */
export interface LogLine {
  /** `performance.now()` when the bench had read it. */
  readonly atMs: number;
  readonly text: string;
}

/** Reads lines from a standard error, and keeps those that came last. */
export class LogTail {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #lines: LogLine[] = [];
  #rest = "";
  #ended = false;
  #reading: Promise<void>;
  #changed = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.#reading = this.#read();
  }

  /**
   * Waits for a line that arrives after `sinceMs` and contains `text`.
   *
   * @throws {Error} When the process ends without one; the message has its last lines.
   */
  async find(text: string, sinceMs = 0): Promise<LogLine> {
    for (;;) {
      const found = this.#lines.find((line) => line.atMs >= sinceMs && line.text.includes(text));
      if (found) return found;
      if (this.#ended) {
        throw new Error(`Cannot find "${text}" in the log, which ends so:\n${this.lastLines()}`);
      }
      await this.#changed.promise;
    }
  }

  /** The end of the log, for error messages. */
  lastLines(): string {
    return this.#lines.slice(-12).map((line) => line.text).join("\n");
  }

  /** Resolves when the stream has ended. */
  ended(): Promise<void> {
    return this.#reading;
  }

  async #read(): Promise<void> {
    for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) {
      const atMs = performance.now();
      const texts = (this.#rest + this.#decoder.decode(part.value, { stream: true })).split("\n");
      this.#rest = texts.pop() ?? "";
      for (const text of texts) this.#lines.push({ atMs, text });
      if (this.#lines.length > KEPT_LINES * 2) this.#lines.splice(0, this.#lines.length - KEPT_LINES);
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const KEPT_LINES = 2000;
