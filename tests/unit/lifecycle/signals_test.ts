import assert from "node:assert/strict";
import { listenForSignals, type SignalHost } from "../../../src/lifecycle/signals.ts";
import { recordingLog } from "./recording_log.ts";

function fakeHost() {
  const handlers = new Map<Deno.Signal, () => void>();
  const host: SignalHost = {
    addSignalListener: (signal, handler) => void handlers.set(signal, handler),
    removeSignalListener: (signal, handler) =>
      void (handlers.get(signal) === handler && handlers.delete(signal)),
  };
  return { host, handlers };
}

for (
  const [platform, stop, reload] of [
    ["linux", ["SIGTERM", "SIGINT"], ["SIGHUP"]],
    ["darwin", ["SIGTERM", "SIGINT"], ["SIGHUP"]],
    ["windows", ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"], []],
  ] as const
) {
  Deno.test(`listenForSignals on ${platform} stops on ${stop.join(", ")} and reloads on ${reload.join("") || "nothing"}`, () => {
    const { host, handlers } = fakeHost();
    const seen: Record<"stop" | "reload", string[]> = { stop: [], reload: [] };
    const listening = listenForSignals({
      log: recordingLog().log,
      onStop: (signal) => seen.stop.push(signal),
      onReload: (signal) => seen.reload.push(signal),
      platform,
      host,
    });
    for (const handler of handlers.values()) handler();
    assert.deepEqual(seen, { stop: [...stop], reload: [...reload] });
    listening[Symbol.dispose]();
    assert.equal(handlers.size, 0);
  });
}

Deno.test("listenForSignals logs a signal before it acts on it", () => {
  const { host, handlers } = fakeHost();
  const { log, messages } = recordingLog();
  let seenAtStop: string[] = [];
  using _listening = listenForSignals({
    log,
    onStop: () => seenAtStop = messages(),
    onReload: () => {},
    platform: "linux",
    host,
  });
  handlers.get("SIGTERM")!();
  assert.deepEqual(seenAtStop, ["Received SIGTERM"]);
});

Deno.test({
  name: "listenForSignals receives a real SIGHUP of this process",
  ignore: Deno.build.os === "windows",
  async fn() {
    const received = Promise.withResolvers<Deno.Signal>();
    using _listening = listenForSignals({
      log: recordingLog().log,
      onStop: () => {},
      onReload: received.resolve,
    });
    // Signal handlers alone don't keep the event loop alive.
    const alive = setInterval(() => {}, 1_000);
    Deno.kill(Deno.pid, "SIGHUP");
    assert.equal(await received.promise, "SIGHUP");
    clearInterval(alive);
  },
});
