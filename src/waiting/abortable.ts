/**
 * Waits for a promise that others wait for too: an abort ends this wait, not the work. The promise's own rejection
 * counts as handled.
 *
 * @throws The promise's reason, or the signal's when that aborts first.
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return promise;
}
