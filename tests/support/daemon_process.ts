/** The real daemon as a child process, on free ports and in a folder of its own. */

import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { Endpoint } from "../../src/config/settings.ts";
import { ChildProcess, type ExitStatus } from "./child_process.ts";

/** What the daemon is started with; everything has a default. */
export interface DaemonProcessOptions {
  /** Contents of config.json, or the path of such a file. Default: empty. */
  readonly config?: Readonly<Record<string, unknown>> | string;
  /** Contents of accounts.json, or the path of such a file. Default: no account. */
  readonly accounts?: readonly Readonly<Record<string, unknown>>[] | string;
  /** Further arguments of `start`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** True: the daemon is to find config.json and accounts.json in its working folder. Default: it is told where they are. */
  readonly findsFiles?: boolean;
  /** Runs another program than `deno run src/main.ts`, such as a compiled binary; `start …` is added. */
  readonly command?: readonly [string, ...string[]];
  /** False: doesn't wait until the daemon is ready, for starts that are to fail. Default: true. */
  readonly waitsUntilReady?: boolean;
  /** Nobody reads its standard output. Default: it is read. */
  readonly closesStdout?: boolean;
  /** Is given the process before it is ready. */
  readonly onSpawn?: (process: ChildProcess) => void;
}

/** One event of the daemon's JSON log. */
export interface LogEvent {
  readonly level: string;
  readonly message: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What the daemon's ready line says. */
export interface ReadyEvent {
  readonly listeners: readonly Endpoint[];
  readonly admin: Endpoint;
}

/** Root of the checkout. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A running daemon. Disposing it kills it if it still runs, and removes its folder. */
export class DaemonProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  /** Folder with config.json, accounts.json and the state folder. */
  readonly directory: string;
  #ready: ReadyEvent | undefined;

  private constructor(process: ChildProcess, directory: string) {
    this.#process = process;
    this.directory = directory;
  }

  /** Starts a daemon. @throws {Error} With its output, if it isn't ready within 15 seconds. */
  static async start(options: DaemonProcessOptions = {}): Promise<DaemonProcess> {
    const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-test-" });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const config = await provideFile(join(directory, "config.json"), options.config ?? {});
    const accounts = await provideFile(join(directory, "accounts.json"), options.accounts ?? []);
    const ports = ["--port", "0", "--admin-port", "0", "--log-format", "json"];
    const files = options.findsFiles ? [] : ["--config", config, "--accounts", accounts];
    const args = ["start", ...files, ...ports, ...options.args ?? []];
    const process = ChildProcess.spawn({
      command: [...options.command ?? programFromSource(), ...args],
      closesStdout: options.closesStdout ?? false,
      env: { STATE_DIRECTORY: join(directory, "state"), ...options.env },
      cwd: directory,
    });
    options.onSpawn?.(process);
    const daemon = new DaemonProcess(process, directory);
    stack.use(process);
    if (options.waitsUntilReady ?? true) await daemon.waitUntilReady();
    stack.move();
    return daemon;
  }

  /** Its number. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Where it listens; the first of several. @throws {Error} Before it is ready. */
  get listener(): Endpoint {
    const listener = this.ready.listeners[0];
    if (!listener) throw new Error("The daemon has no listener");
    return listener;
  }

  /** What its ready line said. @throws {Error} Before it is ready. */
  get ready(): ReadyEvent {
    if (!this.#ready) throw new Error("The daemon isn't ready");
    return this.#ready;
  }

  /** Base URL of its admin API. @throws {Error} Before it is ready. */
  get adminUrl(): string {
    return `http://${this.ready.admin.hostname}:${this.ready.admin.port}`;
  }

  /** Its log so far: every line of standard error that is a log event. */
  get log(): LogEvent[] {
    return this.#process.lines.stderr.map(parseLogLine).filter((event) => event !== undefined);
  }

  /** Lines of standard output and error that are no log events. */
  get strayLines(): string[] {
    const { stdout, stderr } = this.#process.lines;
    return [...stdout, ...stderr.filter((line) => parseLogLine(line) === undefined)];
  }

  /** How it ended. */
  get exited(): Promise<ExitStatus> {
    return this.#process.exited;
  }

  /** Sends a signal. */
  signal(name: Deno.Signal): void {
    this.#process.signal(name);
  }

  /** Sends SIGTERM. @returns How it ended. */
  async stop(): Promise<ExitStatus> {
    this.signal("SIGTERM");
    return await this.exited;
  }

  /** Resolves with the first event for which `fits` holds, past ones included. @throws {Error} With its output. */
  async waitForLog(fits: (event: LogEvent) => boolean, what: string): Promise<LogEvent> {
    return await this.#process.waitForLine(() => this.log.find(fits), { what });
  }

  /** Resolves when the daemon has said that it is ready. @throws {Error} With its output, after 15 seconds. */
  async waitUntilReady(): Promise<void> {
    const { properties } = await this.waitForLog(isReadyEvent, "The daemon's ready line");
    this.#ready = properties as unknown as ReadyEvent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** The program as users run it from a checkout: with the daemon's permissions, not all. */
export function programFromSource(): readonly [string, ...string[]] {
  const config = join(ROOT, "deno.json");
  return [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--config",
    config,
    "-P=daemon",
    join(ROOT, "src", "main.ts"),
  ];
}

/** @returns The path of a file with that content: `content` itself if it is a path. */
async function provideFile(path: string, content: unknown): Promise<string> {
  if (typeof content === "string") return content;
  await Deno.writeTextFile(path, JSON.stringify(content), { mode: 0o600 });
  return path;
}

function isReadyEvent({ message, properties }: LogEvent): boolean {
  return /\bready\b/i.test(message) && Array.isArray(properties.listeners);
}

/** Properties may stand in `properties` or beside the message. */
function parseLogLine(line: string): LogEvent | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const { level, message, properties, ...rest } = JSON.parse(line);
    if (typeof message !== "string") return undefined;
    return { level: String(level).toLowerCase(), message, properties: { ...rest, ...properties } };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
