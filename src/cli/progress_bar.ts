/** A bar for long work, redrawn in place on a terminal; nothing anywhere else. */

const width = 30;

/** One bar. Disposing it clears its line. */
export class ProgressBar implements Disposable {
  readonly #total: number;
  readonly #isTerminal: boolean;
  readonly #output: { writeSync(octets: Uint8Array): number };
  #done = 0;

  /** @param output Default: standard error, so that the results alone are on standard output. */
  constructor(
    total: number,
    { isTerminal, output = Deno.stderr }: {
      readonly isTerminal: boolean;
      readonly output?: { writeSync(octets: Uint8Array): number };
    },
  ) {
    this.#total = total;
    this.#isTerminal = isTerminal && total > 1;
    this.#output = output;
    this.#draw();
  }

  /** One more is done. */
  advance(): void {
    this.#done++;
    this.#draw();
  }

  [Symbol.dispose](): void {
    if (this.#isTerminal) this.#write("\r\x1b[K");
  }

  #draw(): void {
    if (!this.#isTerminal) return;
    const filled = Math.round(width * this.#done / this.#total);
    this.#write(`\r[${"#".repeat(filled)}${".".repeat(width - filled)}] ${this.#done} of ${this.#total}`);
  }

  #write(text: string): void {
    this.#output.writeSync(new TextEncoder().encode(text));
  }
}
