/** Where lines go: `Deno.stderr`, or anything with its `write`. */
export interface LineOutput {
  /** Writes a part or all of `octets`, and says how many. */
  write(octets: Uint8Array): Promise<number>;
}

/** Bounds of a `LineWriter`. */
export interface LineWriterOptions {
  /** Characters that may wait for a slow reader; lines beyond are dropped and counted. Default: 4 Mi. */
  readonly maxPendingLength?: number;
  /** Longest that `flush` waits for a reader that stands still. Default: 1,000. */
  readonly flushTimeoutMs?: number;
}

/**
 * Writes lines without ever making the caller wait.
 *
 * What comes while a write is under way goes out together with the next one, so a burst costs few system calls and
 * a single line goes out at once. A reader that stands still costs lines of log, not sessions.
 */
export class LineWriter {
  readonly #output: LineOutput;
  readonly #maxPendingLength: number;
  readonly #flushTimeoutMs: number;
  readonly #encoder = new TextEncoder();
  #pending = "";
  #droppedLines = 0;
  #writing: Promise<void> | undefined;

  constructor(output: LineOutput, options: LineWriterOptions = {}) {
    this.#output = output;
    this.#maxPendingLength = options.maxPendingLength ?? 4 * 1024 * 1024;
    this.#flushTimeoutMs = options.flushTimeoutMs ?? 1_000;
  }

  /** Takes a line, its line end included. */
  write(line: string): void {
    if (this.#pending.length + line.length > this.#maxPendingLength) {
      this.#droppedLines++;
      return;
    }
    this.#pending += line;
    this.#writing ??= this.#writePending();
  }

  /** Lines dropped since this was last asked. */
  takeDroppedLines(): number {
    const dropped = this.#droppedLines;
    this.#droppedLines = 0;
    return dropped;
  }

  /** Resolves when all lines so far are written, or their reader has stood still for too long. */
  async flush(): Promise<void> {
    const writing = this.#writing;
    if (!writing) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#flushTimeoutMs);
    });
    await Promise.race([writing, timeout]).finally(() => clearTimeout(timer));
  }

  /** Never rejects: where the log itself fails there is nowhere to say so. */
  async #writePending(): Promise<void> {
    while (this.#pending !== "") {
      let octets = this.#encoder.encode(this.#pending);
      this.#pending = "";
      try {
        while (octets.length > 0) octets = octets.subarray(await this.#output.write(octets));
      } catch {
        this.#droppedLines++;
      }
    }
    // At once with the last look at what is pending: a line that comes later starts anew.
    this.#writing = undefined;
  }
}
