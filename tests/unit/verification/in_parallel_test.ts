import assert from "node:assert/strict";
import { inParallel } from "../../../src/verification/in_parallel.ts";

Deno.test("inParallel keeps the order and the limit", async () => {
  let running = 0;
  let most = 0;
  const gates = Array.from({ length: 7 }, () => Promise.withResolvers<void>());
  const mapped = inParallel(gates, async (gate, index) => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    return index;
  }, { limit: 3 });
  for (const gate of gates.toReversed()) gate.resolve();
  assert.deepEqual(await mapped, [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(most, 3);
});

Deno.test("inParallel begins nothing more after a failure", async () => {
  const begun: number[] = [];
  await assert.rejects(
    inParallel([0, 1, 2, 3], (item) => {
      begun.push(item);
      return item === 1 ? Promise.reject(new Error("one")) : Promise.resolve(item);
    }, { limit: 1 }),
    /one/,
  );
  assert.deepEqual(begun, [0, 1]);
});

Deno.test("inParallel of nothing is nothing", async () => {
  assert.deepEqual(await inParallel([], () => Promise.resolve(1)), []);
});
