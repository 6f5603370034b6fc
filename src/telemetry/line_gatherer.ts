/** How long a line may wait for company. */
const GATHER_MS = 50;
/** So many characters are handed on at once. */
const ENOUGH = 256 * 1024;

/**
 * Gathers lines and hands them on in one piece. The library's file sink writes and syncs whatever it is given, and while lines
 * keep coming it does that without a pause: a third of the disk's time for nothing that a log needs.
 */
export class LineGatherer {
  readonly #handOn: (lines: string) => void;
  #lines = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(handOn: (lines: string) => void) {
    this.#handOn = handOn;
  }

  /** Takes a line, its line end included. */
  add(line: string): void {
    this.#lines += line;
    if (this.#lines.length >= ENOUGH) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Hands on what there is. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.#handOn(lines);
  }
}
