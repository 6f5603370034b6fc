/** One of the bench's own programs in a process of its own: a JSON argument in, lines of JSON out. */

/** The sink or a loader, while it runs. */
export class JsonProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #name: string;
  readonly #detach: () => void;

  private constructor(name: string, child: Deno.ChildProcess, signal: AbortSignal) {
    this.#name = name;
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(splitLines()).getReader();
    const kill = () => child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    this.#detach = () => signal.removeEventListener("abort", kill);
  }

  /** Starts `file`, a module beside this one, with `options`; `signal` kills it. */
  static start(file: string, { options, signal }: { options: object; signal: AbortSignal }): JsonProcess {
    signal.throwIfAborted();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", `${import.meta.dirname}/${file}`, JSON.stringify(options)],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new JsonProcess(file, child, signal);
  }

  /** @returns The next line that the process prints. @throws {Error} When it ended instead. */
  async next<Line>(): Promise<Line> {
    const { value, done } = await this.#lines.read();
    if (done) throw new Error(`Cannot read from ${this.#name}: the process ended, its errors are above`);
    return JSON.parse(value) as Line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#detach();
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended by itself
    }
    await this.#lines.cancel();
    await this.#child.status;
  }
}

function splitLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
    },
  });
}
