/** The longest that setTimeout takes; it fires at once for anything longer. */
const longestDelayMs = 2 ** 31 - 1;

/** Resolves after `durationMs`, or rejects with the signal's reason as soon as that aborts; leaves no timer behind. */
export function delay(durationMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal.aborted) {
    reject(signal.reason);
    return promise;
  }
  const abort = () => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", abort);
    resolve();
  }, Math.min(durationMs, longestDelayMs));
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}
