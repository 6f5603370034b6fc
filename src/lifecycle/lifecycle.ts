/**
 * The life of the daemon: `starting`, `running`, `draining`, `stopped`.
 *
 * Every way to stop (signal, admin request, failure) comes through one {@linkcode Lifecycle}, so that all of them drain
 * alike. Components take its two signals: `stopSignal` (take no new work) and `killSignal` (give up what is left).
 */

import type { Logger } from "@logtape/logtape";
import { exitStatus } from "./exit_status.ts";
import { describeReport, type DrainReport } from "./drain.ts";

/** Where the daemon stands; only ever moves to the right. */
export type LifecycleState = "starting" | "running" | "draining" | "stopped";

/** Collaborators of a {@linkcode Lifecycle}. */
export interface LifecycleOptions {
  readonly log: Logger;
  /** Milliseconds on any steady clock. */
  readonly now: () => number;
  /** Ends the process, for when something hangs that no step of the drain bounds. Default: nothing does. */
  readonly exit?: (exitStatus: number) => void;
}

/** 128 plus the signal's number, as shells report a process that a signal ended. */
const exitInterrupted = 130;
const exitTerminated = 143;

/**
 * A terminal sends Ctrl+C to the whole process group, and `deno task` passes its copy on: one key press arrives twice,
 * a fraction of a millisecond apart (Deno 2.9.6). Nobody presses twice within this time.
 */
const interruptEchoMs = 25;
/** Time between a second signal, or the last line of the log, and the end by force. */
const forcedExitMs = 1_000;

/** Holds the state, the two signals and the exit status. */
export class Lifecycle {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #exit: ((exitStatus: number) => void) | undefined;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  readonly #stopRequested = Promise.withResolvers<void>();
  #state: LifecycleState = "starting";
  #stopReason?: string;
  #lastSignal?: { readonly name: Deno.Signal; readonly atMs: number };
  #killedBy?: Deno.Signal;
  #failed = false;

  constructor(options: LifecycleOptions) {
    this.#log = options.log;
    this.#now = options.now;
    this.#exit = options.exit;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /** Why the daemon stops, in words for log and status; absent until then. */
  get stopReason(): string | undefined {
    return this.#stopReason;
  }

  /** Aborts when no new work is to be taken. A start-up under way ends on it too. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborts at a second signal: whatever still runs is to be dropped at once. */
  get killSignal(): AbortSignal {
    return this.#kill.signal;
  }

  /** Resolves when `stopSignal` aborts; never rejects. */
  get stopRequested(): Promise<void> {
    return this.#stopRequested.promise;
  }

  /**
   * Marks the end of the start-up.
   *
   * @returns False when a stop was requested meanwhile: the caller goes on to drain what it has started.
   */
  started(): boolean {
    if (this.#state === "starting") this.#state = "running";
    return this.#state === "running";
  }

  /**
   * Stops for an admin request or a command; only the first request has an effect.
   *
   * @param reason Who asked, such as `POST /admin/shutdown`.
   * @returns False when the daemon was stopping already.
   */
  requestStop(reason: string): boolean {
    if (this.#stop.signal.aborted) return false;
    this.#stopReason = reason;
    this.#state = "draining";
    this.#log.info("Draining because of {reason}", { reason });
    this.#stop.abort(new DOMException(`Stopping because of ${reason}`, "AbortError"));
    this.#stopRequested.resolve();
    return true;
  }

  /** Stops for a signal: the first one drains, the second one ends at once. A drain that something else began counts as none. */
  signalled(name: Deno.Signal): void {
    const previous = this.#lastSignal;
    const atMs = this.#now();
    this.#lastSignal = { name, atMs };
    if (previous === undefined) {
      if (!this.requestStop(name)) this.#log.info("Already draining; a second signal ends at once");
      return;
    }
    if (name === "SIGINT" && previous.name === name && atMs - previous.atMs < interruptEchoMs) return;
    if (this.#killedBy !== undefined) return;
    this.#killedBy = name;
    this.#log.warn("Ending at once because of a second signal, {signal}", { signal: name });
    this.#kill.abort(new DOMException(`Ended by a second signal, ${name}`, "AbortError"));
    this.#exitSoon(exitStatusOf(name));
  }

  /** Stops for a failure that nobody handled: drains like any other stop, then exits with 1. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#log.fatal("Unexpected failure, stopping: {error}", { error });
    this.requestStop("an unexpected failure");
  }

  /**
   * Ends the life: logs the one line that tells the whole stop.
   *
   * @param startFailure Exit status of a start that failed.
   * @returns The exit status: 0 clean, 1 failure, 75 work was cut, 130 or 143 ended by a second signal.
   */
  finish(report: DrainReport, startFailure?: number): number {
    this.#state = "stopped";
    const status = startFailure ?? this.#exitStatus(report);
    const story = describeReport(report);
    const properties = { totalMs: report.totalMs, exitStatus: status, story, reason: this.#stopReason };
    const message = "Stopped in {totalMs} ms, exit {exitStatus}: {story}";
    if (status === exitStatus.clean) this.#log.info(message, properties);
    else this.#log.warn(message, properties);
    this.#exitSoon(status);
    return status;
  }

  #exitStatus(report: DrainReport): number {
    if (this.#killedBy !== undefined) return exitStatusOf(this.#killedBy);
    if (this.#failed || report.steps.some((step) => step.outcome === "failed")) return exitStatus.failure;
    if (report.cut.length > 0 || report.steps.some((step) => step.outcome === "abandoned")) {
      return exitStatus.cutOff;
    }
    return exitStatus.clean;
  }

  /** The timer keeps nothing alive: a process that ends by itself is gone before. */
  #exitSoon(status: number): void {
    const exit = this.#exit;
    if (exit) Deno.unrefTimer(setTimeout(() => exit(status), forcedExitMs));
  }
}

function exitStatusOf(signal: Deno.Signal): number {
  return signal === "SIGINT" || signal === "SIGBREAK" ? exitInterrupted : exitTerminated;
}
