/**
 * Runs `work` under a signal that aborts with `signal`, or with a `TimeoutError` after `timeoutMs`. No timer outlives
 * the work.
 */
export async function withTimeout<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<T> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new DOMException("Time ran out", "TimeoutError")), timeoutMs);
  try {
    return await work(AbortSignal.any([signal, timeout.signal]));
  } finally {
    clearTimeout(timer);
  }
}
