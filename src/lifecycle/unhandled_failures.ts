/** Failures that no code has handled: reported instead of ending the process in the middle of its work. */

/**
 * Calls `onFailure` for every unhandled rejection and uncaught error until the result is disposed. Without it Deno would
 * exit with 1 on the spot, and every message under way would be cut.
 */
export function watchUnhandledFailures(onFailure: (error: unknown) => void): Disposable {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    onFailure(event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    onFailure(event.error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      globalThis.removeEventListener("error", onError);
    },
  };
}
