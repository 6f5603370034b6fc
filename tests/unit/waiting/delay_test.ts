import assert from "node:assert/strict";
import { delay } from "../../../src/waiting/delay.ts";

Deno.test("delay does not end at once when it is longer than setTimeout takes", async () => {
  const controller = new AbortController();
  const long = delay(1e12, controller.signal);
  const short = delay(10, controller.signal);
  const first = await Promise.race([long.then(() => "long"), short.then(() => "short")]);
  controller.abort(new Error("enough"));
  assert.equal(first, "short");
  await assert.rejects(long, /enough/);
});
