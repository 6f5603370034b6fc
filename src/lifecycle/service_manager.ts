/**
 * Notifications to systemd, as sd_notify(3) describes them. Elsewhere, where NOTIFY_SOCKET is unset, all of this does nothing.
 *
 * Needs Deno's unstable `net` (datagrams over Unix sockets), and to read, write and reach the socket.
 */

import type { Logger } from "@logtape/logtape";
import { atMost } from "../waiting/at_most.ts";

/** Collaborators of a {@linkcode ServiceManager}. */
export interface ServiceManagerOptions {
  readonly log: Logger;
  /** Reads one environment variable: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. */
  readonly environment: (name: string) => string | undefined;
  /** Seconds since boot, rounded down. Default: `Deno.osUptime`. */
  readonly uptimeSeconds?: () => number;
}

/** systemd extends no further than it is asked to; this much on top of the drain leaves it the last word. */
const stopMarginMs = 5_000;
/** STATUS= is shown on one line. */
const maxStatusLength = 400;
/** A service manager that doesn't read its socket must not hold up a stop. */
const flushTimeoutMs = 1_000;

/** Talks to systemd. Notifications keep their order; one that can't be delivered is logged once and not repeated. */
export class ServiceManager implements AsyncDisposable {
  readonly #log: Logger;
  readonly #uptimeSeconds: () => number;
  readonly #address?: Deno.UnixAddr;
  readonly #watchdogIntervalMs: number | undefined;
  #socket: Deno.DatagramConn | undefined;
  #sending: Promise<void> = Promise.resolve();
  #watchdog?: ReturnType<typeof setInterval>;
  #failureLogged = false;

  constructor(options: ServiceManagerOptions) {
    const { environment } = options;
    this.#log = options.log;
    this.#uptimeSeconds = options.uptimeSeconds ?? Deno.osUptime;
    const path = environment("NOTIFY_SOCKET");
    if (!path) return;
    // "@" stands for the NUL octet that begins the name of an abstract socket, unix(7).
    this.#address = { transport: "unixpacket", path: path.replace(/^@/, "\0") };
    this.#watchdogIntervalMs = watchdogIntervalMs(environment);
  }

  /** A service manager listens. */
  get present(): boolean {
    return this.#address !== undefined;
  }

  /** Start-up or reload has ended; the first call begins the watchdog's pings too. */
  ready(status: string): void {
    this.#notify("READY=1", statusLine(status));
    this.#startWatchdog();
  }

  /** A reload has begun; {@linkcode ready} ends it. */
  reloading(): void {
    if (!this.present) return;
    // Deno has no CLOCK_MONOTONIC. A stamp older than the request would not be taken as its answer, so whole seconds are
    // rounded up.
    const monotonicUs = (this.#uptimeSeconds() + 1) * 1_000_000;
    this.#notify("RELOADING=1", `MONOTONIC_USEC=${monotonicUs}`);
  }

  /** A drain of at most `timeoutMs` has begun; systemd waits for it even where TimeoutStopSec= is shorter. */
  stopping(status: string, timeoutMs: number): void {
    this.#notify("STOPPING=1", statusLine(status), extendLine(timeoutMs + stopMarginMs));
  }

  /** Shows a line in `systemctl status`. */
  status(text: string): void {
    this.#notify(statusLine(text));
  }

  /** Asks for this much more time to start or stop, counted from now, in milliseconds. */
  extendTimeout(timeoutMs: number): void {
    this.#notify(extendLine(timeoutMs));
  }

  /** Resolves when everything is delivered, or after a second. */
  async flush(): Promise<void> {
    await atMost(flushTimeoutMs, this.#sending);
  }

  /** Ends the pings, delivers what is left and closes the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watchdog);
    await this.flush();
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Pings come from the event loop: one that hangs is missed by systemd, which then ends the process. */
  #startWatchdog(): void {
    if (this.#watchdogIntervalMs === undefined || this.#watchdog !== undefined) return;
    this.#watchdog = setInterval(() => this.#notify("WATCHDOG=1"), this.#watchdogIntervalMs);
    Deno.unrefTimer(this.#watchdog);
  }

  #notify(...lines: string[]): void {
    if (this.#address === undefined) return;
    this.#sending = this.#sending.then(() => this.#send(lines));
  }

  async #send(lines: string[]): Promise<void> {
    try {
      this.#socket ??= Deno.listenDatagram(
        { transport: "unixpacket" } as Deno.UnixListenOptions & { transport: "unixpacket" },
      );
      await this.#socket.send(new TextEncoder().encode(lines.join("\n")), this.#address!);
    } catch (error) {
      if (this.#failureLogged) return;
      this.#failureLogged = true;
      this.#log.warn(
        "Cannot notify systemd at {path}: {error}; check NotifyAccess= and the socket's permissions",
        {
          path: this.#address!.path,
          error,
        },
      );
    }
  }
}

/** Half of the time after which systemd takes the process for hung, sd_watchdog_enabled(3). */
function watchdogIntervalMs(environment: (name: string) => string | undefined): number | undefined {
  const timeoutUs = Number(environment("WATCHDOG_USEC"));
  const pid = environment("WATCHDOG_PID");
  if (!(timeoutUs > 0) || (pid !== undefined && Number(pid) !== Deno.pid)) return undefined;
  return Math.max(1, Math.floor(timeoutUs / 2_000));
}

function statusLine(status: string): string {
  return `STATUS=${status.replace(/[\r\n\0]+/g, " ").slice(0, maxStatusLength)}`;
}

function extendLine(timeoutMs: number): string {
  return `EXTEND_TIMEOUT_USEC=${Math.ceil(timeoutMs * 1_000)}`;
}
