/** The daemon's life from its settings to its exit status. */

import type { Logger } from "@logtape/logtape";
import { checkLogFolder } from "../config/check_places.ts";
import { ConfigError, type Finding, formatFinding } from "../config/config_error.ts";
import { loadSettings } from "../config/load_settings.ts";
import type { LogSettings } from "../config/settings.ts";
import type { StartSettings } from "../config/start_setting.ts";
import { drain } from "../lifecycle/drain.ts";
import { exitStatus } from "../lifecycle/exit_status.ts";
import { Lifecycle } from "../lifecycle/lifecycle.ts";
import { Reloader, type ReloadObserver } from "../lifecycle/reload.ts";
import { ServiceManager } from "../lifecycle/service_manager.ts";
import { listenForSignals } from "../lifecycle/signals.ts";
import { watchUnhandledFailures } from "../lifecycle/unhandled_failures.ts";
import { abortable } from "../waiting/abortable.ts";
import { type Log, openLog } from "../telemetry/log.ts";
import { Daemon } from "./daemon.ts";
import { drainSteps } from "./drain_steps.ts";
import { reloadParts } from "./reload_parts.ts";
import { findKeyFaults, refuseFaults, refusePlaceFaults } from "./start_faults.ts";
import { TakeOver } from "./take_over.ts";
import { type SandboxStart, withSandbox } from "./with_sandbox.ts";

export interface RunDaemonOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line to standard output. */
  readonly out: (line: string) => void;
}

/** Before there are settings, faults go where an operator looks: standard error. */
const EARLY_LOG: LogSettings = {
  level: "info",
  format: Deno.stderr.isTerminal() ? "text" : "json",
  maxFileOctets: 0,
  maxFiles: 0,
  hashAddresses: false,
};

const now = () => performance.now();

/** Runs the daemon until it has stopped. @returns the exit status. */
export async function runDaemon(start: StartSettings, { env, out }: RunDaemonOptions): Promise<number> {
  // Closed last, when the log is on disk.
  using parked = new DisposableStack();
  await using log = await openLog(EARLY_LOG);
  const logger = log.logger.getChild("lifecycle");
  const lifecycle = new Lifecycle({ log: logger, now, exit: Deno.exit });
  using _failures = watchUnhandledFailures((error) => lifecycle.fail(error));
  const started = Promise.withResolvers<Reloader>();
  using _signals = listenForSignals({
    log: logger,
    onStop: (signal) => lifecycle.signalled(signal),
    // The reloader keeps the outcome, logs it, and is waited for by the drain.
    onReload: (signal) => void started.promise.then((reloader) => reloader.reload(signal)),
  });
  try {
    await using sandbox = await withSandbox(start, { env, out });
    return await run(sandbox, { log, lifecycle, started, parked });
  } catch (error) {
    return reportStartFailure(error, logger);
  }
}

/** @returns The exit status. */
function reportStartFailure(error: unknown, logger: Logger): number {
  if (!(error instanceof ConfigError)) {
    logger.fatal("Cannot start: {error}", { error: describeStartFailure(error) });
    return exitStatus.failure;
  }
  report(error.findings, (text) => logger.fatal("Cannot start: {finding}", { finding: text }));
  return exitStatus.config;
}

interface Life {
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  /** Resolves when the start is done: what has changed since it has read things is reloaded then. */
  readonly started: PromiseWithResolvers<Reloader>;
  readonly parked: DisposableStack;
}

async function run(sandbox: SandboxStart, life: Life): Promise<number> {
  const { log, lifecycle, started, parked } = life;
  const { env } = sandbox;
  const logger = log.logger.getChild("lifecycle");
  await using manager = new ServiceManager({ log: logger, environment: (name) => env[name] });
  const opened = await unlessStopped(open(sandbox, { ...life, manager }), lifecycle);
  if (!opened) return lifecycle.finish({ steps: [], totalMs: 0, cut: [] });
  const { daemon, reloader } = opened;

  let failure: number | undefined;
  if (!lifecycle.stopSignal.aborted) {
    failure = await startUnlessStopped(daemon, logger);
    if (lifecycle.started()) {
      try {
        announce(daemon, manager);
        await sandbox.announce({
          listener: daemon.submission.listeners[0]?.address,
          admin: daemon.admin!.address,
        });
        daemon.warmUp();
        started.resolve(reloader);
      } catch (error) {
        lifecycle.fail(error);
      }
    }
    await lifecycle.stopRequested;
  }
  const { shutdownTimeoutMs } = daemon.settings;
  manager.stopping(`Draining because of ${lifecycle.stopReason}`, shutdownTimeoutMs);
  const drained = await drain(drainSteps(daemon, { reloader, parked }), {
    deadlineMs: shutdownTimeoutMs,
    kill: lifecycle.killSignal,
    log: logger,
    now,
  });
  return lifecycle.finish(drained, failure);
}

interface Opened {
  readonly daemon: Daemon;
  readonly reloader: Reloader;
}

/** Reads and checks everything; nothing listens yet. @throws {ConfigError} With every fault. */
async function open(
  { start, env }: SandboxStart,
  { log, lifecycle, manager }: Life & { readonly manager: ServiceManager },
): Promise<Opened> {
  const logger = log.logger.getChild("lifecycle");
  const load = (config = start.config) =>
    loadSettings({ options: { ...start, ...(config !== undefined && { config }) }, env });
  const { settings, warnings } = await load();
  await log.reconfigure(settings.log);
  report(warnings, (text) => logger.warn(text));
  const takeOver = settings.takeOver
    ? new TakeOver({ settings, env, log: logger, signal: lifecycle.stopSignal })
    : undefined;
  await refusePlaceFaults(settings, env);
  const daemon = await Daemon.open({ settings, log, lifecycle, env, ...(takeOver && { takeOver }) });
  report(daemon.store.warnings, (text) => logger.warn(text));
  await refuseFaults(settings, daemon.store.list());
  const oddities = [...await checkLogFolder(settings), ...await findKeyFaults(settings, daemon.store.list())];
  report(oddities, (text) => logger.warn(text));
  const reloader = new Reloader({
    parts: reloadParts(daemon, load),
    observer: onceRunning(manager, lifecycle),
    signal: lifecycle.stopSignal,
    log: logger,
    now,
  });
  daemon.reload = (reason) => reloader.reload(reason);
  return { daemon, reloader };
}

/**
 * Waits for what only reads. A stop ends the wait: a pipe that nobody writes to, or a file system that doesn't answer, would
 * not.
 *
 * @returns Nothing after a stop.
 */
async function unlessStopped<T>(work: Promise<T>, { stopSignal }: Lifecycle): Promise<T | undefined> {
  try {
    return await abortable(work, stopSignal);
  } catch (error) {
    if (error !== stopSignal.reason) throw error;
    return undefined;
  }
}

/** READY before the start is done would have systemd start what waits for this service. */
function onceRunning(manager: ServiceManager, lifecycle: Lifecycle): ReloadObserver {
  return {
    reloading() {
      if (lifecycle.state === "running") manager.reloading();
    },
    ready(status) {
      if (lifecycle.state === "running") manager.ready(status);
    },
  };
}

/**
 * A stop ends the wait for the daemon that this one replaces; what has been opened is drained. So it is after a failure:
 * clients that have connected read 421.
 *
 * @returns The exit status of a failure.
 */
async function startUnlessStopped(daemon: Daemon, logger: Logger): Promise<number | undefined> {
  try {
    await daemon.start();
    return undefined;
  } catch (error) {
    if (error === daemon.lifecycle.stopSignal.reason) return undefined;
    if (daemon.submission.listeners.length === 0) throw error;
    const status = reportStartFailure(error, logger);
    daemon.lifecycle.requestStop("a failed start");
    return status;
  }
}

function announce(daemon: Daemon, manager: ServiceManager): void {
  const { settings, submission, admin, store, log } = daemon;
  const listeners = submission.listeners.map(({ address, settings: { security } }) => ({
    ...address,
    security,
  }));
  const places = listeners.map(({ hostname, port }) => `${hostname}:${port}`).join(", ");
  log.logger.getChild("lifecycle").info("Ready: {places}, admin {adminPlace}, {accounts} accounts", {
    places: places === "" ? "no SMTP listener (admin only)" : `SMTP on ${places}`,
    adminPlace: `http://${admin!.address.hostname}:${admin!.address.port}`,
    accounts: store.list().length,
    listeners,
    admin: admin!.address,
    dryRun: settings.submission.dryRun,
  });
  warnOfOpenAccounts(daemon);
  manager.ready(`Ready: ${places}`);
}

/** Accounts without a password, the first few by name: there may be thousands. */
function warnOfOpenAccounts({ store, log }: Daemon): void {
  const open = store.list().filter(({ passwordHash }) => passwordHash === undefined).map(({ email }) =>
    email
  );
  if (open.length === 0) return;
  log.logger.getChild("accounts").warn(
    "{count} accounts have no password, and any client on this machine may use them: {names}; see `account set-password`",
    { count: open.length, names: `${open.slice(0, 5).join(", ")}${open.length > 5 ? ", …" : ""}` },
  );
}

function report(findings: readonly Finding[], write: (text: string) => void): void {
  for (const finding of findings) write(formatFinding(finding));
}

function describeStartFailure(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `${error.message}: another program has the port; see --port and --admin-port`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `${error.message}: a port below 1024 needs CAP_NET_BIND_SERVICE`;
  }
  return error instanceof Error ? error.message : String(error);
}
