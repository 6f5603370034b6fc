import assert from "node:assert/strict";
import { LineGatherer } from "../../../src/telemetry/line_gatherer.ts";

Deno.test("LineGatherer hands lines on together, in order and once", async () => {
  const pieces: string[] = [];
  const handedOn = Promise.withResolvers<void>();
  const gatherer = new LineGatherer((lines) => {
    pieces.push(lines);
    handedOn.resolve();
  });
  for (const line of ["1\n", "2\n", "3\n"]) gatherer.add(line);
  assert.deepEqual(pieces, []);
  await handedOn.promise;
  gatherer.flush();
  assert.deepEqual(pieces, ["1\n2\n3\n"]);
});

Deno.test("LineGatherer keeps no more than is enough", () => {
  const pieces: number[] = [];
  const gatherer = new LineGatherer((lines) => pieces.push(lines.length));
  for (let line = 0; line < 3; line++) gatherer.add("x".repeat(100_000));
  assert.deepEqual(pieces, [300_000]);
});

Deno.test("LineGatherer flushes on demand and leaves no timer", () => {
  const pieces: string[] = [];
  const gatherer = new LineGatherer((lines) => pieces.push(lines));
  gatherer.add("1\n");
  gatherer.flush();
  gatherer.add("2\n");
  gatherer.flush();
  assert.deepEqual(pieces, ["1\n", "2\n"]); // a timer that was left would be found by the sanitizer
});
