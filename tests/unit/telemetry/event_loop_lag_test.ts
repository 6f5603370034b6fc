import assert from "node:assert/strict";
import { EventLoopLag } from "../../../src/telemetry/event_loop_lag.ts";

Deno.test("EventLoopLag tells the worst delay once", () => {
  let nowMs = 0;
  using lag = new EventLoopLag(() => nowMs, 500);
  for (const elapsedMs of [500, 730, 510]) {
    nowMs += elapsedMs;
    lag.sample();
  }
  assert.equal(lag.takeWorstMs(), 230);
  assert.equal(lag.takeWorstMs(), 0);
});
