import assert from "node:assert/strict";
import { LineWriter } from "../../../src/telemetry/line_writer.ts";

/** An output that takes nothing until it is told to. */
function slowOutput() {
  const chunks: string[] = [];
  const waiting: (() => void)[] = [];
  return {
    chunks,
    async write(octets: Uint8Array) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      chunks.push(new TextDecoder().decode(octets));
      return octets.length;
    },
    release: () => waiting.shift()?.(),
  };
}

Deno.test("LineWriter writes what came meanwhile in one piece", async () => {
  const output = slowOutput();
  const writer = new LineWriter(output);
  for (const line of ["1\n", "2\n", "3\n"]) writer.write(line);
  const flushed = writer.flush();
  output.release();
  while (output.chunks.length < 1) await Promise.resolve();
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  output.release();
  await flushed;
  assert.deepEqual(output.chunks, ["1\n", "2\n3\n"]);
});

Deno.test("LineWriter drops and counts what a stuck reader leaves", async () => {
  const output = slowOutput();
  const writer = new LineWriter(output, { maxPendingLength: 5, flushTimeoutMs: 1 });
  for (const line of ["held\n", "next\n", "lost\n", "lost\n"]) writer.write(line);
  await writer.flush();
  assert.equal(writer.takeDroppedLines(), 2);
  assert.equal(writer.takeDroppedLines(), 0);
  assert.deepEqual(output.chunks, []);
});

Deno.test("LineWriter goes on after short writes", async () => {
  let written = "";
  const output = {
    write(octets: Uint8Array) {
      written += new TextDecoder().decode(octets.subarray(0, 2));
      return Promise.resolve(Math.min(2, octets.length));
    },
  };
  const writer = new LineWriter(output);
  writer.write("abcde\n");
  await writer.flush();
  assert.equal(written, "abcde\n");
});

Deno.test("LineWriter survives an output that fails", async () => {
  const writer = new LineWriter({ write: () => Promise.reject(new Deno.errors.BrokenPipe("gone")) });
  writer.write("line\n");
  await writer.flush();
  assert.equal(writer.takeDroppedLines(), 1);
});
