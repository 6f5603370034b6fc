import assert from "node:assert/strict";
import { LatencyChart, MessagesChart } from "../../../../src/admin/page/activity_chart.tsx";

const minutes = [
  { startMs: 0, relayed: 0, failed: 0 },
  { startMs: 60_000, relayed: 30, failed: 10, medianMs: 20, p95Ms: 80 },
];

Deno.test("MessagesChart draws the parts of a minute on one scale, on top of each other", () => {
  const svg = String(<MessagesChart minutes={minutes} />);
  assert.match(svg, /40 this minute/);
  assert.match(svg, /<span class="highest" aria-hidden="true">50<\/span>/);
  assert.match(svg, /<rect class="base" x="11" width="8" y="40" height="60">/);
  assert.match(svg, /<rect class="top" x="11" width="8" y="20" height="20">/);
  assert.equal(svg.match(/<rect/g)?.length, 2);
});

Deno.test("LatencyChart shows median and 95 % and stands without any message", () => {
  const svg = String(<LatencyChart minutes={minutes} />);
  assert.match(svg, /20 ms median, 80 ms 95 %/);
  assert.match(svg, /<rect class="base"[^>]* height="20">/);
  assert.match(String(<LatencyChart minutes={minutes.slice(0, 1)} />), /no messages yet/);
});
