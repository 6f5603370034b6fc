/** A child process whose output is read line by line, so that a test waits for what happens and never for the clock. */

import assert from "node:assert/strict";

/** How to run a {@linkcode LineProcess}. */
export interface LineProcessOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Standard error counts as output too. Default false: it goes to the test's own. */
  readonly withErrors?: boolean;
  /** The process is ended after this time, which fails the test that waits for it. Default 20 s. */
  readonly patienceMs?: number;
  /** Ends the process when it is to go; default SIGKILL. */
  readonly endSignal?: Deno.Signal;
}

/** One child; ended by force when disposed of. */
export class LineProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #seen: string[] = [];
  readonly #endSignal: Deno.Signal;
  readonly #timer: ReturnType<typeof setTimeout>;
  #hasEnded = false;

  constructor(program: string, options: LineProcessOptions) {
    const { args, env = {}, withErrors = false, patienceMs = 20_000, endSignal = "SIGKILL" } = options;
    // The shell joins the two streams in the order in which they were written.
    const [name, list] = withErrors
      ? ["sh", ["-c", 'exec "$@" 2>&1', "sh", program, ...args]]
      : [program, [...args]];
    const command = new Deno.Command(name, {
      args: list,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    });
    this.#child = command.spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(splitLines())
      .getReader();
    this.#endSignal = endSignal;
    this.#timer = setTimeout(() => this.#end(), patienceMs);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Every line so far. */
  get transcript(): string {
    return this.#seen.join("\n");
  }

  /** Reads on to the first line that matches. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    while (true) {
      const { value, done } = await this.#lines.read();
      if (done) assert.fail(`No line matches ${pattern} in:\n${this.transcript}`);
      this.#seen.push(value);
      const match = pattern.exec(value);
      if (match !== null) return match;
    }
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Reads the rest and returns the exit status. */
  async exitStatus(): Promise<number> {
    for (let next = await this.#lines.read(); !next.done; next = await this.#lines.read()) {
      this.#seen.push(next.value);
    }
    const { code } = await this.#child.status;
    this.#hasEnded = true;
    return code;
  }

  /** Ends standard input; a process that waits for that comes to its end. */
  async endInput(): Promise<void> {
    await this.#child.stdin.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#hasEnded) await this.#end();
    await this.#child.stdin.close().catch(() => {}); // closed before, or the pipe has ended with its reader
  }

  /** A grandchild may hold the output open for ever, so that is not read to its end. */
  async #end(): Promise<void> {
    this.#hasEnded = true;
    this.#child.kill(this.#endSignal);
    await this.#lines.cancel();
    await this.#child.status;
  }
}

function splitLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split(/\r?\n/);
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
    },
    flush(controller) {
      if (rest !== "") controller.enqueue(rest);
    },
  });
}
