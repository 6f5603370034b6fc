import assert from "node:assert/strict";
import { Hono } from "hono";
import { type EventStreamOptions, pause, streamSections } from "../../../../src/admin/page/event_stream.ts";

function request(options: Partial<EventStreamOptions>): Response | Promise<Response> {
  const app = new Hono();
  const closing = new AbortController().signal;
  app.get(
    "/",
    (c) =>
      streamSections(c, {
        sections: () => Promise.resolve({}),
        closing,
        isWelcome: () => true,
        intervalMs: 1,
        lifeMs: 3,
        ...options,
      }),
  );
  return app.request("/");
}

Deno.test("streamSections sends a section only when it has changed", async () => {
  let looks = 0;
  const sections = () => Promise.resolve({ a: "same", b: `look ${looks++}` });
  const text = await (await request({ sections })).text();
  const sent = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data).html);
  assert.deepEqual(sent, ["same", "look 0", "look 1", "look 2"]);
});

Deno.test("streamSections says goodbye with the last state when the daemon closes", async () => {
  const closing = new AbortController();
  let state = "running";
  const sections = () => Promise.resolve({ state });
  const response = await request({ sections, closing: closing.signal, intervalMs: 60_000, lifeMs: 600_000 });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.match((await reader.read()).value ?? "", /running/);
  state = "stopped";
  closing.abort();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value;
  assert.match(rest, /event: section\n.*stopped[^]*event: end\n/);
});

Deno.test("streamSections ends when the viewer isn't signed in any more, and when it leaves", async () => {
  let looks = 0;
  const text = await (await request({ isWelcome: () => looks++ < 2, lifeMs: 60_000 })).text();
  assert.equal(text, "");
  const response = await request({ intervalMs: 60_000, lifeMs: 600_000 });
  await response.body?.cancel();
});

Deno.test("pause ends at once when its signal aborts, before or meanwhile", async () => {
  await pause(60_000, AbortSignal.abort());
  const abort = new AbortController();
  const paused = pause(60_000, abort.signal);
  abort.abort();
  await paused;
});
