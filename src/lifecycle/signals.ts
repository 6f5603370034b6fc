/**
 * Signals of the operating system.
 *
 * Unix: SIGTERM and SIGINT stop, SIGHUP reloads. Windows has no reload signal; its console events arrive as signals, and all
 * of them stop: Ctrl+C (SIGINT), Ctrl+Break (SIGBREAK), console closed (SIGHUP), log-off and shutdown (SIGTERM). After the
 * last two Windows leaves a process about five seconds.
 */

import type { Logger } from "@logtape/logtape";

/** What to do at a signal. Both run inside the signal's handler and must not throw. */
export interface SignalOptions {
  readonly log: Logger;
  readonly onStop: (signal: Deno.Signal) => void;
  readonly onReload: (signal: Deno.Signal) => void;
  /** Default: the system that runs this. */
  readonly platform?: typeof Deno.build.os;
  /** Where the handlers are installed; default: this process. */
  readonly host?: SignalHost;
}

/** The part of `Deno` that delivers signals. */
export type SignalHost = Pick<typeof Deno, "addSignalListener" | "removeSignalListener">;

/** Installs the handlers until the result is disposed. They don't keep the process alive. */
export function listenForSignals(options: SignalOptions): Disposable {
  const { log, onStop, onReload, platform = Deno.build.os, host = Deno } = options;
  const { stop, reload } = signalsOf(platform);
  const handlers = new Map<Deno.Signal, () => void>();
  const handle = (signals: readonly Deno.Signal[], action: (signal: Deno.Signal) => void) => {
    for (const signal of signals) {
      handlers.set(signal, () => {
        // Before anything else: an operator who waits at the terminal sees that the signal has arrived.
        log.info("Received {signal}", { signal });
        action(signal);
      });
    }
  };
  handle(stop, onStop);
  handle(reload, onReload);
  for (const [signal, handler] of handlers) host.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) host.removeSignalListener(signal, handler);
      handlers.clear();
    },
  };
}

function signalsOf(platform: typeof Deno.build.os): Record<"stop" | "reload", readonly Deno.Signal[]> {
  if (platform === "windows") return { stop: ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"], reload: [] };
  return { stop: ["SIGTERM", "SIGINT"], reload: ["SIGHUP"] };
}
