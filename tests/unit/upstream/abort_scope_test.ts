import assert from "node:assert/strict";
import { AbortScope } from "../../../src/upstream/abort_scope.ts";

/** Work that ends with its signal alone. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

Deno.test("AbortScope ends one piece of work with its caller's signal", async () => {
  const scope = new AbortScope();
  const abort = new AbortController();
  const first = scope.run(abort.signal, untilAborted);
  const { promise, resolve } = Promise.withResolvers<string>();
  const second = scope.run(new AbortController().signal, () => promise);
  abort.abort(new Error("the caller's"));
  await assert.rejects(first, /the caller's/);
  resolve("done");
  assert.equal(await second, "done");
});

Deno.test("AbortScope ends all work, and what is begun later, with its own reason", async () => {
  const scope = new AbortScope();
  const { signal } = new AbortController();
  const running = [scope.run(signal, untilAborted), scope.run(signal, untilAborted)];
  scope.abort(new Error("the scope's"));
  for (const work of running) await assert.rejects(work, /the scope's/);
  await assert.rejects(scope.run(signal, untilAborted), /the scope's/);
});

Deno.test("AbortScope hands on a signal that has aborted before", async () => {
  await assert.rejects(new AbortScope().run(AbortSignal.abort(new Error("before")), untilAborted), /before/);
});
