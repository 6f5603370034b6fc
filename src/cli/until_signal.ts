/** Ctrl+C and its like, which end a command's work but not what must not be cut off in it. */

/** Exit statuses as shells tell them: 128 and the signal's number. */
const statuses: ReadonlyMap<Deno.Signal, number> = new Map([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
  // Windows: Ctrl+Break, which has no number there.
  ...(Deno.build.os === "windows" ? [["SIGBREAK", 130] as const] : []),
]);

/** The signal that came before the end of the work. */
export interface Interruption {
  readonly signal: Deno.Signal;
  readonly status: number;
}

/**
 * Waits for the work, or for the first signal that is to end it. Further ones then change nothing: the process is about to
 * end, and some programs pass on a Ctrl+C that the terminal has sent already.
 *
 * @returns Nothing if the work is done.
 */
export async function untilSignal(work: () => Promise<void>): Promise<Interruption | undefined> {
  const { promise: interrupted, resolve } = Promise.withResolvers<Interruption>();
  const handlers = [...statuses].map(([signal, status]) =>
    [signal, () => resolve({ signal, status })] as const
  );
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  let interruption: Interruption | undefined;
  try {
    interruption = await Promise.race([work().then(() => undefined), interrupted]);
  } finally {
    if (!interruption) {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    }
  }
  return interruption;
}
