/** The daemon as a process that is stopped, killed and started again on the same files. */

import { join } from "node:path";
import type { Endpoint } from "../../src/config/settings.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import type { Incarnation } from "./chaos_ledger.ts";

const adminToken = "an-admin-token-of-the-chaos-run";

/** An answer of the admin API; status 0: the daemon hung up. */
export interface AdminAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- whatever came
  readonly body: any;
}

/** Owns the process that runs now. */
export class RestartableDaemon implements AsyncDisposable {
  /** Folder with config.json, accounts.json and the state. */
  readonly directory: string;
  /** Processes that have ended. */
  readonly ended: Incarnation[] = [];
  /** What no process should do: exit statuses, stray output, errors in the log. */
  readonly complaints: string[] = [];
  #process: DaemonProcess | undefined;

  /** @param directory Holds the two files; the caller's. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /** Number of the process that runs, or of the next one. */
  get incarnation(): number {
    return this.ended.length + 1;
  }

  /** Its process number. @throws {Error} While none runs. */
  get pid(): number {
    if (!this.#process) throw new Error("No daemon runs");
    return this.#process.pid;
  }

  /** Where it listens; empty while none runs. */
  get listeners(): readonly Endpoint[] {
    return this.#process?.ready.listeners ?? [];
  }

  /** Starts a process on the files as they are. @throws {Error} If it doesn't get ready. */
  async start(): Promise<void> {
    this.#process = await DaemonProcess.start({
      config: join(this.directory, "config.json"),
      accounts: join(this.directory, "accounts.json"),
      args: ["--shutdown-timeout", "3"],
      env: { STATE_DIRECTORY: join(this.directory, "state"), XOAUTH2_ADMIN_TOKEN: adminToken },
    });
  }

  /** Asks the running process for a reload. */
  hangUp(): void {
    this.#process?.signal("SIGHUP");
  }

  /** Ends it: by a drain, or without any warning. */
  async end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<void> {
    const process = this.#process;
    if (!process) return;
    process.signal(signal);
    const { code } = await process.exited;
    const wasKilled = signal === "SIGKILL";
    if (!wasKilled && code !== 0 && code !== 75) this.complaints.push(`${signal} ended with ${code}`);
    this.#process = undefined;
    this.#file(process, wasKilled);
    await process[Symbol.asyncDispose]();
  }

  /** Calls the admin API. */
  async call(method: string, path: string, body?: unknown): Promise<AdminAnswer> {
    const process = this.#process;
    if (!process) return { status: 0, body: undefined };
    try {
      const response = await fetch(`${process.adminUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      });
      return { status: response.status, body: await response.json() };
    } catch (error) {
      return { status: 0, body: String(error) };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  #file(process: DaemonProcess, wasKilled: boolean): void {
    const { log, strayLines } = process;
    const number = this.incarnation;
    this.ended.push({ number, log, wasKilled });
    for (const { level, message, properties } of log) {
      if ((level === "error" || level === "fatal") && !isExpected(message)) {
        this.complaints.push(`process ${number}: ${level}: ${message} ${JSON.stringify(properties)}`);
      }
    }
    // A kill cuts a line anywhere.
    const stray = wasKilled ? strayLines.slice(0, -1) : strayLines;
    this.complaints.push(
      ...stray.filter((line) => !isDenos(line)).map((line) => `process ${number}: ${line}`),
    );
  }
}

/** Errors that the faults are meant to bring about: an operator has to act. */
function isExpected(message: string): boolean {
  return /needs authorization|Reload refused|Cannot reload|invalid_grant/.test(message);
}

/** What Deno itself says at every start with permissions from deno.json. */
function isDenos(line: string): boolean {
  return line === "" || line.includes("Permissions in the config file is an experimental feature");
}
