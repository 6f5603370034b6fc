/** The Windows build of Deno in its lab; see tests/support/windows_lab.sh. */

import { fileURLToPath } from "node:url";
import { ChildProcess } from "../support/child_process.ts";

const script = fileURLToPath(new URL("../support/windows_lab.sh", import.meta.url));

/** Why Windows can't be tried on this machine; undefined where it can. */
export function whySkipped(): string | undefined {
  if (Deno.build.os !== "linux") return "the lab needs Linux";
  const { code, stderr } = new Deno.Command(script, { args: ["check"] }).outputSync();
  return code === 0 ? undefined : new TextDecoder().decode(stderr).trim();
}

/** A folder that Windows knows as C:\work, and what runs in it. */
export class WindowsLab implements AsyncDisposable {
  /** The folder as this system sees it. */
  readonly work: string;
  #process: ChildProcess | undefined;

  private constructor(work: string) {
    this.work = work;
  }

  /** Makes the folder. */
  static async open(): Promise<WindowsLab> {
    return new WindowsLab(await Deno.makeTempDir({ prefix: "xoauth2-proxy-windows-" }));
  }

  /** Starts `deno.exe` in a console of its own. */
  start(args: readonly string[]): ChildProcess {
    this.#process = ChildProcess.spawn({ command: [script, "run", this.work, ...args] });
    return this.#process;
  }

  /** Presses Ctrl+C or Ctrl+Break in the console. */
  async press(key: "c" | "break"): Promise<void> {
    await Deno.writeTextFile(`${this.work}/press-${key}`, "");
  }

  /** Text of a file in the folder; empty while there is none. */
  async read(name: string): Promise<string> {
    return await Deno.readTextFile(`${this.work}/${name}`).catch(() => "");
  }

  /** Resolves with the first match in a file that grows. @throws {Error} With the file, after a minute or at the end of what runs. */
  async waitForMatch(name: string, pattern: RegExp): Promise<RegExpExecArray> {
    const watcher = Deno.watchFs(this.work);
    using _watcher = watcher;
    const timer = setTimeout(() => watcher.close(), 60_000);
    const ended = this.#process?.exited.then(() => watcher.close());
    try {
      const first = pattern.exec(await this.read(name));
      if (first) return first;
      for await (const _event of watcher) {
        const match = pattern.exec(await this.read(name));
        if (match) return match;
      }
    } finally {
      clearTimeout(timer);
    }
    await ended;
    throw new Error(`${pattern} was awaited in ${name}:\n${await this.read(name)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    await Deno.remove(this.work, { recursive: true });
  }
}
