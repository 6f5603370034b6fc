import assert from "node:assert/strict";
import { Backoff } from "../../../src/upstream/backoff.ts";

const retry = { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 10_000, jitter: false };
const remedy = "Slow down";

/** A back-off under a clock of its own; `refusals` waits each one out, and returns how long they were. */
function clocked(settings: Partial<typeof retry> = {}, random = () => 0.5) {
  const clock = { nowMs: 5_000_000 };
  const backoff = new Backoff({ retry: { ...retry, ...settings }, now: () => clock.nowMs, random });
  const refusals = (count: number) =>
    Array.from({ length: count }, () => {
      backoff.fail("432", { remedy });
      const { remainingMs } = backoff;
      clock.nowMs += remainingMs;
      return remainingMs;
    });
  return { backoff, clock, refusals };
}

Deno.test("Backoff grows by its factor up to the longest delay", () => {
  assert.deepEqual(clocked().refusals(6), [1000, 2000, 4000, 8000, 10_000, 10_000]);
});

Deno.test("Backoff jitters within the upper half of each delay", () => {
  const waits = (random: number) => clocked({ jitter: true }, () => random).refusals(3);
  assert.deepEqual(waits(0), [500, 1000, 2000]);
  assert.deepEqual(waits(0.5), [750, 1500, 3000]);
});

Deno.test("Backoff takes refusals during a wait for the same event", () => {
  const { backoff, clock, refusals } = clocked();
  assert.equal(backoff.fail("432", { remedy }), true);
  assert.equal(backoff.fail("432", { remedy }), false);
  assert.deepEqual(backoff.state, { reason: "432", remedy, remainingMs: 1000, failures: 1 });
  clock.nowMs += 1000;
  assert.equal(backoff.state, undefined);
  assert.deepEqual(refusals(1), [2000]);
});

Deno.test("Backoff starts anew after as much quiet as the last wait was long", () => {
  const { clock, refusals } = clocked();
  refusals(3);
  clock.nowMs += 4000;
  assert.deepEqual(refusals(1), [8000]);
  clock.nowMs += 8001;
  assert.deepEqual(refusals(1), [1000]);
});

Deno.test("Backoff waits longer for a cause that lasts, even while it waits", () => {
  const { backoff } = clocked();
  backoff.fail("432", { remedy });
  assert.equal(backoff.fail("quota", { remedy: "Spread the load", atLeastMs: 3_600_000 }), true);
  assert.equal(backoff.fail("432", { remedy }), false);
  assert.deepEqual([backoff.remainingMs, backoff.state?.reason], [3_600_000, "quota"]);
});

Deno.test("Backoff lets go at a reset, with other settings from then on", () => {
  const { backoff, refusals } = clocked();
  refusals(3);
  backoff.fail("432", { remedy });
  backoff.reset({ ...retry, maxDelayMs: 300 });
  assert.equal(backoff.remainingMs, 0);
  assert.deepEqual(refusals(2), [300, 300]);
});
