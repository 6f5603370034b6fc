import assert from "node:assert/strict";
import { Activity, type EndedTransaction } from "../../../../src/admin/page/activity.ts";

const minuteMs = 60_000;
const startMs = 1_000_000 * minuteMs;

/** Transactions as the daemon would count and remember them; only the last few are remembered. */
function start({ remembered = 300, onSample = (): unknown => undefined } = {}) {
  const clock = { nowMs: startMs };
  const records: EndedTransaction[] = [];
  const counts = new Map<string, number>();
  let metricsCalls = 0;
  const activity = new Activity({
    recent: () => records.slice(-remembered),
    metrics() {
      metricsCalls++;
      onSample();
      const lines = [...counts].map(([outcome, count]) =>
        `xoauth2_proxy_transactions_total{outcome="${outcome}"} ${count}`
      );
      return Promise.resolve(lines.join("\n"));
    },
    now: () => clock.nowMs,
    intervalMs: 1,
  });
  const end = (outcome: EndedTransaction["outcome"], durationMs = 10) => {
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    records.push({ outcome, durationMs, endedAtMs: clock.nowMs });
  };
  return { clock, activity, end, metricsCalls: () => metricsCalls };
}

Deno.test("Activity begins with the messages that are remembered", async () => {
  const { clock, activity, end } = start();
  end("relayed");
  end("deferred");
  clock.nowMs += 2 * minuteMs;
  end("dry-run");
  end("abandoned");
  await activity.sample();
  const minutes = activity.minutes();
  assert.equal(minutes.length, 30);
  assert.deepEqual(minutes.slice(-3).map(({ relayed, failed }) => [relayed, failed]), [[1, 1], [0, 0], [
    1,
    0,
  ]]);
});

Deno.test("Activity counts messages that were forgotten before it looked", async () => {
  const { activity, end } = start({ remembered: 3 });
  await activity.sample();
  for (let count = 0; count < 50; count++) end("relayed");
  end("rejected");
  await activity.sample();
  await activity.sample();
  const { relayed, failed } = activity.minutes().at(-1)!;
  assert.deepEqual([relayed, failed], [50, 1]);
});

Deno.test("Activity takes median and 95th percentile of relayed messages alone", async () => {
  const { activity, end } = start();
  for (let ms = 1; ms <= 100; ms++) end("relayed", ms);
  end("deferred", 60_000);
  await activity.sample();
  const { medianMs, p95Ms } = activity.minutes().at(-1)!;
  assert.deepEqual([medianMs, p95Ms], [51, 96]);
  assert.equal(activity.minutes()[0]!.medianMs, undefined);
});

Deno.test("Activity forgets what is older than the chart", async () => {
  const { clock, activity, end } = start();
  end("relayed");
  await activity.sample();
  clock.nowMs += 30 * minuteMs;
  await activity.sample();
  assert.equal(activity.minutes().reduce((sum, { relayed }) => sum + relayed, 0), 0);
});

Deno.test("Activity shares one sample among viewers at the same time", async () => {
  const { activity, metricsCalls } = start();
  await Promise.all([activity.sample(), activity.sample()]);
  assert.equal(metricsCalls(), 1);
  await activity.sample();
  assert.equal(metricsCalls(), 2);
});

Deno.test("Activity goes on counting while nobody looks, until it is told to end", async () => {
  const sampled = Promise.withResolvers<void>();
  // The second sample begins when the first one is through.
  const { activity, end, metricsCalls } = start({ onSample: () => metricsCalls() > 1 && sampled.resolve() });
  const closing = new AbortController();
  activity.watch(closing.signal);
  activity.watch(closing.signal);
  end("relayed");
  await sampled.promise;
  closing.abort();
  assert.equal(activity.minutes().at(-1)!.relayed, 1);
  activity.watch(closing.signal);
});
