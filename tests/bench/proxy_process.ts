/** The daemon under measurement, started as `deno task start` starts it. */

import { type Bench, HOSTNAME } from "./bench.ts";
import { LogTail } from "./log_tail.ts";
import { type ProxyFiles, type ProxyFilesOptions, writeProxyFiles } from "./proxy_files.ts";

const MAIN_MODULE = new URL("../../src/main.ts", import.meta.url).pathname;
const PROJECT_FOLDER = new URL("../../", import.meta.url).pathname;

/** How the daemon is started. */
export interface ProxyOptions extends ProxyFilesOptions {
  readonly adminOnly?: boolean;
  /**
   * Where it logs to: a file under load, as a service does; standard error where the bench has to see lines the
   * moment that they are written.
   */
  readonly logsTo: "file" | "stderr";
}

/** What the daemon logs when it is ready. */
interface Readiness {
  readonly listeners?: readonly { readonly hostname: string; readonly port: number }[];
  readonly admin?: { readonly hostname: string; readonly port: number };
}

/** How a stopped daemon ended. */
export interface StopOutcome {
  readonly exitCode: number;
  /** From the signal to the end of the process. */
  readonly exitMs: number;
  /** From the signal to the arrival of the first log line that names it; only where it logs to standard error. */
  readonly firstLineMs: number | undefined;
}

/** A running daemon; disposing kills it if it still runs. */
export class ProxyProcess implements AsyncDisposable {
  readonly files: ProxyFiles;
  /** From the start of the process to its line that says ready. */
  readonly readyMs: number;
  readonly #child: Deno.ChildProcess;
  readonly #errors: LogTail;
  readonly #readiness: Readiness;
  readonly #logsTo: "file" | "stderr";

  private constructor(running: Running, readyMs: number, readiness: Readiness) {
    this.files = running.files;
    this.readyMs = readyMs;
    this.#child = running.child;
    this.#errors = running.errors;
    this.#logsTo = running.logsTo;
    this.#readiness = readiness;
  }

  /** @returns Whether there is a daemon to measure. */
  static async exists(): Promise<boolean> {
    try {
      return (await Deno.stat(MAIN_MODULE)).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /**
   * Starts a daemon and waits until it says that it is ready.
   *
   * @throws {Error} When it ends instead, with the end of its log.
   */
  static async start(bench: Bench, options: ProxyOptions): Promise<ProxyProcess> {
    const files = await writeProxyFiles(bench, options);
    using watcher = Deno.watchFs(`${files.folder}/log`);
    const startMs = performance.now();
    const running = spawn(files, options, bench.signal);
    try {
      const line = options.logsTo === "stderr"
        ? await running.errors.find('"listeners"')
        : await findInFile(files.logFile, watcher, running);
      return new ProxyProcess(running, line.atMs - startMs, parseReadiness(line.text));
    } catch (error) {
      killIfRunning(running.child);
      await running.child.status;
      await running.errors.ended();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Port of the listener whose clients sign in. */
  get port(): number {
    return this.#port(0);
  }

  /** Port of the listener whose clients needn't. */
  get openPort(): number {
    return this.#port(1);
  }

  /** Has the daemon reload. @throws {Error} When it refuses. */
  async reload(): Promise<void> {
    const { hostname, port } = this.#readiness.admin ?? {};
    const token = (await Deno.readTextFile(`${this.files.stateFolder}/admin_token`)).trim();
    const response = await fetch(`http://${hostname}:${port}/admin/reload`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`Cannot reload the daemon: ${answer}`);
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Resolves when a line of the log, written after `sinceMs`, contains `text`. Only for standard error. */
  async logLine(text: string, sinceMs: number): Promise<number> {
    return (await this.#errors.find(text, sinceMs)).atMs;
  }

  /** Sends SIGTERM and waits for the end. */
  async stop(): Promise<StopOutcome> {
    const startMs = performance.now();
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    const exitMs = performance.now() - startMs;
    const firstLineMs = this.#logsTo === "stderr"
      ? await this.#errors.find("SIGTERM", startMs).then((line) => line.atMs - startMs)
      : undefined;
    return { exitCode: code, exitMs, firstLineMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    killIfRunning(this.#child);
    await this.#child.status;
    await this.#errors.ended();
  }

  #port(index: number): number {
    const port = this.#readiness.listeners?.[index]?.port;
    if (port === undefined) {
      throw new Error(`Cannot connect to listener ${index}: the daemon's ready line has none`);
    }
    return port;
  }
}

interface Running {
  readonly files: ProxyFiles;
  readonly child: Deno.ChildProcess;
  readonly errors: LogTail;
  readonly logsTo: "file" | "stderr";
}

function spawn(files: ProxyFiles, options: ProxyOptions, signal: AbortSignal): Running {
  const logFile = options.logsTo === "file" ? ["--log-file", files.logFile] : [];
  const adminOnly = options.adminOnly ? ["--admin-only"] : [];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--v8-flags=--max-semi-space-size=8", "-P=daemon", MAIN_MODULE, "start"],
      ...["--config", files.configFile, "--accounts", files.accountsFile],
      ...["--host", HOSTNAME, "--port", "0", "--admin-port", "0", "--log-format", "json"],
      ...logFile,
      ...adminOnly,
    ],
    cwd: PROJECT_FOLDER,
    env: { STATE_DIRECTORY: files.stateFolder, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal,
  }).spawn();
  return { files, child, errors: new LogTail(child.stderr), logsTo: options.logsTo };
}

/** Reads `path` again at each change of its folder, until it has the ready line. */
async function findInFile(path: string, watcher: Deno.FsWatcher, { child, errors }: Running) {
  const ended = child.status.then(async () => {
    await errors.ended();
    throw new Error(`Cannot start the daemon: it ended before it was ready:\n${errors.lastLines()}`);
  });
  const changes = watcher[Symbol.asyncIterator]();
  for (;;) {
    await Promise.race([changes.next(), ended]);
    const atMs = performance.now();
    const text = await readIfThere(path);
    const line = text.split("\n").slice(0, -1).find((line) => line.includes('"listeners"'));
    if (line !== undefined) return { atMs, text: line };
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function parseReadiness(text: string): Readiness {
  const record = JSON.parse(text) as Readiness & { readonly properties?: Readiness };
  return record.properties ?? record;
}

function killIfRunning(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended by itself
  }
}
