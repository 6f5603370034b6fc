/** Keeps parts of a page fresh by server-sent events (HTML standard, "Server-sent events"). */

import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { type Markup, markupText } from "./layout.tsx";

/** Parts of a page by the id of their element. */
export type Sections = Readonly<Record<string, Markup>>;

/** What is sent, and how long. */
export interface EventStreamOptions {
  /** Renders the parts as they are now. */
  readonly sections: () => Promise<Sections>;
  /** Aborts when the daemon's admin side closes. */
  readonly closing: AbortSignal;
  /** Tells whether the viewer is still signed in. */
  readonly isWelcome: () => boolean;
  /** Between two looks; default 1,000. */
  readonly intervalMs?: number;
  /** The browser comes back after that; default 5 minutes. A viewer that went to sleep doesn't hold on for longer. */
  readonly lifeMs?: number;
}

/** Answers with a stream that sends each part when it has changed, and says why it ends. */
export function streamSections(c: Context, options: EventStreamOptions): Response {
  return streamSSE(c, async (stream) => {
    const left = new AbortController();
    stream.onAbort(() => left.abort());
    const signal = AbortSignal.any([options.closing, left.signal]);
    await send(stream, { ...options, signal });
  });
}

async function send(
  stream: SSEStreamingApi,
  { sections, closing, isWelcome, signal, intervalMs = 1000, lifeMs = 300_000 }:
    & EventStreamOptions
    & { readonly signal: AbortSignal },
): Promise<void> {
  const sent = new Map<string, string>();
  for (let ageMs = 0; ageMs < lifeMs && isWelcome(); ageMs += intervalMs) {
    // Before the look: what follows the end has to be shown as well.
    const isLast = closing.aborted;
    for (const [id, markup] of Object.entries(await sections())) {
      const html = await markupText(markup);
      if (sent.get(id) === html) continue;
      sent.set(id, html);
      await stream.writeSSE({ event: "section", data: JSON.stringify({ id, html }) });
    }
    if (isLast) return await stream.writeSSE({ event: "end", data: "The daemon has stopped." });
    await pause(intervalMs, signal);
    if (stream.aborted) return;
  }
}

/** Resolves after a time, or as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  return promise;
}
