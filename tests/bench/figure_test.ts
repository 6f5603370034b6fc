import assert from "node:assert/strict";
import { type Figure, judge, median } from "./figure.ts";

const FIGURE: Figure = { row: "row", what: "what", unit: "ms", proxy: [], notes: [], failed: false };

Deno.test("median takes the middle value or the mean of two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([]), NaN);
});

Deno.test("judge compares the rounds in pairs", () => {
  const { ratio, adds } = judge({ ...FIGURE, direct: [10, 100, 20], proxy: [9, 50, 19] });
  assert.equal(ratio, 0.9);
  assert.equal(adds, -1);
});

const targets: readonly { why: string; figure: Partial<Figure>; reached: boolean | undefined }[] = [
  { why: "no target", figure: { proxy: [1] }, reached: undefined },
  { why: "exactly at a lower bound", figure: { proxy: [5], target: { atLeast: 5 } }, reached: true },
  { why: "below a lower bound", figure: { proxy: [4], target: { atLeast: 5 } }, reached: false },
  { why: "above an upper bound", figure: { proxy: [6], target: { atMost: 5 } }, reached: false },
  {
    why: "one of two bounds missed",
    figure: { proxy: [6], target: { atLeast: 1, atMost: 5 } },
    reached: false,
  },
  {
    why: "ratio reached",
    figure: { direct: [10], proxy: [9], target: { ratioAtLeast: 0.85 } },
    reached: true,
  },
  {
    why: "ratio missed",
    figure: { direct: [10], proxy: [8], target: { ratioAtLeast: 0.85 } },
    reached: false,
  },
  {
    why: "a ratio with nothing to compare",
    figure: { proxy: [8], target: { ratioAtLeast: 0.85 } },
    reached: false,
  },
  {
    why: "difference missed",
    figure: { direct: [1], proxy: [3], target: { addsAtMost: 1 } },
    reached: false,
  },
  { why: "no measurement", figure: { proxy: [], target: { atMost: 5 } }, reached: false },
  {
    why: "a good value of a failed run",
    figure: { proxy: [1], target: { atMost: 5 }, failed: true },
    reached: false,
  },
  { why: "a failed run without target", figure: { proxy: [1], failed: true }, reached: false },
];

for (const { why, figure, reached } of targets) {
  Deno.test(`judge weighs a figure: ${why}`, () => {
    assert.equal(judge({ ...FIGURE, ...figure }).reached, reached);
  });
}
