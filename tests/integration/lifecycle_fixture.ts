/**
 * The smallest program with a life cycle: the modules of src/lifecycle, put together as a daemon does, around one piece of
 * work. Tests run it as a process of its own. One line per log event goes to standard output.
 *
 * Argument: what is under way when the stop comes.
 */

import type { Logger } from "@logtape/logtape";
import { drain, type DrainSignals } from "../../src/lifecycle/drain.ts";
import { Lifecycle } from "../../src/lifecycle/lifecycle.ts";
import { Reloader } from "../../src/lifecycle/reload.ts";
import { ServiceManager } from "../../src/lifecycle/service_manager.ts";
import { listenForSignals } from "../../src/lifecycle/signals.ts";
import { watchUnhandledFailures } from "../../src/lifecycle/unhandled_failures.ts";

/**
 * What the fixture is busy with: `cut` ends at the deadline, `hang` not even then, `wait` lasts until a kill, `stuck` too,
 * and then something never ends that the life cycle doesn't know of.
 */
type Work =
  | "starting"
  | "hanging start"
  | "idle"
  | "cut"
  | "hang"
  | "wait"
  | "stuck"
  | "rejection"
  | "exception"
  | "fault"
  | "frozen"
  | "unusable";

function stdoutLog(): Logger {
  const write = (message: string, properties: Record<string, unknown> = {}) => {
    const text = message.replace(/\{(\w+)\}/g, (_, name: string) => String(properties[name]));
    Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  };
  const levels = ["info", "warn", "error", "fatal"];
  return Object.fromEntries(levels.map((level) => [level, write])) as unknown as Logger;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

async function runWork(work: Work, { deadline, kill, noteCut }: DrainSignals): Promise<void> {
  if (work === "hang") await new Promise<never>(() => {});
  if (work === "wait" || work === "stuck") await aborted(kill);
  if (work !== "cut") return;
  await aborted(deadline);
  noteCut("session 1");
}

function beginWork(work: Work): void {
  if (work === "rejection") Promise.reject(new Error("nobody handles this"));
  if (work === "exception") {
    setTimeout(() => {
      throw new Error("nobody catches this");
    });
  }
  // An event loop that never turns again, as the watchdog is to find it.
  if (work === "frozen") setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 500);
}

/** Reads the word in the file that RELOAD_FILE names; `broken` can't be used. */
async function prepareReload() {
  const word = (await Deno.readTextFile(Deno.env.get("RELOAD_FILE") ?? "")).trim();
  if (word === "broken") throw new Error("The word is broken");
  return { difference: word, apply: () => {} };
}

async function main(work: Work): Promise<number> {
  if (work === "unusable") return 78;
  const log = stdoutLog();
  const now = () => performance.now();
  const lifecycle = new Lifecycle({ log, now, exit: Deno.exit });
  await using serviceManager = new ServiceManager({ log, environment: (name) => Deno.env.get(name) });
  const part = { name: "word", prepare: prepareReload };
  const reloader = new Reloader({
    parts: [part],
    observer: serviceManager,
    signal: lifecycle.stopSignal,
    log,
    now,
  });
  using _failures = watchUnhandledFailures((error) => lifecycle.fail(error));
  using _signals = listenForSignals({
    log,
    onStop: (signal) => lifecycle.signalled(signal),
    onReload: (signal) => reloader.reload(signal),
  });
  const alive = setInterval(() => {}, 60_000);
  log.info("pid {pid}", { pid: Deno.pid });
  if (work === "hanging start") await new Promise<never>(() => {});
  if (work === "starting") await lifecycle.stopRequested;
  if (lifecycle.started()) {
    serviceManager.ready("Running");
    log.info("ready");
    beginWork(work);
  }
  await lifecycle.stopRequested;
  const deadlineMs = Number(Deno.env.get("SHUTDOWN_TIMEOUT_MS") ?? 60_000);
  serviceManager.stopping("Draining", deadlineMs);
  const steps = [
    { name: "reload", run: () => reloader.idle() },
    { name: "sessions", run: (signals: DrainSignals) => runWork(work, signals) },
    {
      name: "fault",
      run: () => work === "fault" ? Promise.reject(new Error("disk full")) : Promise.resolve(),
    },
  ];
  const report = await drain(steps, { deadlineMs, kill: lifecycle.killSignal, log, now });
  const exitStatus = lifecycle.finish(report);
  if (work === "stuck") await new Promise<never>(() => {});
  clearInterval(alive);
  return exitStatus;
}

if (import.meta.main) Deno.exit(await main((Deno.args[0] ?? "idle") as Work));
