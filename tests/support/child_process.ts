/** A child process whose output is read line by line, and that never outlives its test. */

import { TextLineStream } from "./text_line_stream.ts";

/** What to run. */
export interface ChildProcessOptions {
  /** Executable and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Nobody reads its standard output: writes to it fail. */
  readonly closesStdout?: boolean;
}

/** How a process ended. */
export interface ExitStatus {
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: Deno.Signal | null;
}

type Output = "stdout" | "stderr";

/** A running child. Disposing it kills it if it still runs, and waits for its end. */
export class ChildProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #watchers = new Set<() => void>();
  readonly #outputs: Promise<unknown>;
  #ended = false;
  /** Lines so far. */
  readonly lines: Readonly<Record<Output, string[]>> = { stdout: [], stderr: [] };
  /** Resolves at the process's end, when all its output has been read. */
  readonly exited: Promise<ExitStatus>;

  private constructor(process: Deno.ChildProcess, { closesStdout }: ChildProcessOptions) {
    this.#process = process;
    const stdout = closesStdout ? process.stdout.cancel() : this.#collect("stdout");
    this.#outputs = Promise.all([stdout, this.#collect("stderr")]);
    this.exited = this.#waitForEnd();
  }

  /** Starts a process. @throws {Deno.errors.NotFound} If the executable isn't there. */
  static spawn(options: ChildProcessOptions): ChildProcess {
    const { command, env = {}, cwd } = options;
    const [executable, ...args] = command;
    const where = cwd === undefined ? {} : { cwd };
    const pipes = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
    return new ChildProcess(new Deno.Command(executable, { args, env, ...where, ...pipes }).spawn(), options);
  }

  /** Its number. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Sends a signal; one that has ended already doesn't hear it. */
  signal(name: Deno.Signal): void {
    if (!this.#ended) this.#process.kill(name);
  }

  /**
   * Resolves with what `find` makes of the lines, as soon as that isn't undefined; earlier lines count too.
   *
   * @param what What is waited for, for the error.
   * @throws {Error} With the output so far, at the deadline or the process's end.
   */
  async waitForLine<T>(
    find: (lines: ChildProcess["lines"]) => T | undefined,
    { what, deadlineMs = 15_000 }: { what: string; deadlineMs?: number },
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const fail = (why: string) => {
      const output = [...this.lines.stdout, ...this.lines.stderr].join("\n");
      reject(new Error(`${what} was awaited, but ${why}. Output:\n${output}`));
    };
    const look = () => {
      const found = find(this.lines);
      if (found !== undefined) resolve(found);
      else if (this.#ended) fail("the process ended");
    };
    const timer = setTimeout(() => fail(`not within ${deadlineMs} ms`), deadlineMs);
    this.#watchers.add(look);
    try {
      look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  async #collect(output: Output): Promise<void> {
    const lines = this.#process[output].pipeThrough(new TextDecoderStream()).pipeThrough(
      new TextLineStream(),
    );
    for await (const line of lines) {
      this.lines[output].push(line);
      this.#look();
    }
  }

  async #waitForEnd(): Promise<ExitStatus> {
    const { code, signal } = await this.#process.status;
    await this.#outputs;
    this.#ended = true;
    this.#look();
    return { code, signal };
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }
}
