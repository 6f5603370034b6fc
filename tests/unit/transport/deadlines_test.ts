import assert from "node:assert/strict";
import { Deadlines } from "../../../src/transport/deadlines.ts";

function withClock() {
  const clock = { nowMs: 0 };
  const deadlines = new Deadlines({ tickMs: 3_600_000, now: () => clock.nowMs });
  const fired: string[] = [];
  const sweepAt = (nowMs: number) => {
    clock.nowMs = nowMs;
    deadlines.sweep();
    return fired.splice(0);
  };
  return { deadlines, sweepAt, add: (name: string) => deadlines.add(() => fired.push(name)) };
}

Deno.test("Deadlines fires what has passed, once", () => {
  const { deadlines, sweepAt, add } = withClock();
  using _deadlines = deadlines;
  add("never set");
  add("a").set(100);
  add("b").set(200);
  assert.deepEqual(sweepAt(99), []);
  assert.deepEqual(sweepAt(100), ["a"]);
  assert.deepEqual(sweepAt(1000), ["b"]);
  assert.deepEqual(sweepAt(2000), []);
});

Deno.test("Deadlines forgets what was cleared, and lets a deadline be set anew, later or earlier", () => {
  const { deadlines, sweepAt, add } = withClock();
  using _deadlines = deadlines;
  const [cleared, later, earlier] = [add("cleared"), add("later"), add("earlier")];
  for (const deadline of [cleared, later, earlier]) deadline.set(100);
  cleared.clear();
  later.set(300);
  earlier.set(50);
  assert.deepEqual(sweepAt(50), ["earlier"]);
  assert.deepEqual(sweepAt(100), []);
  assert.deepEqual(sweepAt(300), ["later"]);
});

Deno.test("Deadlines fires nothing that was disposed, not even in the same sweep", () => {
  const { deadlines, sweepAt, add } = withClock();
  using _deadlines = deadlines;
  const first = deadlines.add(() => other[Symbol.dispose]());
  const other = add("other");
  first.set(10);
  other.set(10);
  assert.deepEqual(sweepAt(10), []);
});

Deno.test("Deadlines lets a deadline set itself again as it fires, infinitely far included", () => {
  const { deadlines, sweepAt } = withClock();
  using _deadlines = deadlines;
  let times = 0;
  const again = deadlines.add(() => {
    again.set(++times < 3 ? 10 : Infinity);
  });
  again.set(10);
  for (let nowMs = 10; nowMs <= 100; nowMs += 10) sweepAt(nowMs);
  assert.equal(times, 3);
});

Deno.test("Deadlines keeps a timer only while there is somebody to watch", async () => {
  using deadlines = new Deadlines({ tickMs: 1 });
  for (let round = 0; round < 2; round++) {
    const fired = Promise.withResolvers<void>();
    using deadline = deadlines.add(fired.resolve);
    deadline.set(1);
    const keepAlive = setTimeout(() => {}, 5000);
    await fired.promise;
    clearTimeout(keepAlive);
  } // a timer that was left would be found by the sanitizer
});
