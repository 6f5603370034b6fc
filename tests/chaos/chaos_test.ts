/** Three bounded chaos runs; `deno run -A tests/chaos/main.ts --seeds 20 --seconds 60` does it at length. */

import assert from "node:assert/strict";
import { runChaos } from "./chaos.ts";
import { describeChaos } from "./describe_chaos.ts";

/** A new seed in each run of the tests finds more than three fixed ones; CHAOS_SEED repeats one. */
const first = Number(Deno.env.get("CHAOS_SEED") ?? Math.floor(Date.now() / 1000) % 1_000_000);

for (const seed of [first, first + 1, first + 2]) {
  Deno.test(`a message that was acknowledged survives chaos with seed ${seed}`, async () => {
    const report = await runChaos({ seed, durationMs: 4_000 });
    const text = describeChaos(report);
    // deno-lint-ignore no-console -- the figures and the seed are what a failure is repeated with
    console.log(text);
    assert.deepEqual(report.violations, [], text);
    assert.ok(report.attempts > 0, "no message was sent at all");
  });
}
