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
  }, durationMs);
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}
