/** Traces of transactions: an interface, its no-op, and the way to the real one. */

/** Facts about a span. Never a secret, never mail content. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A timed part of the work. */
export interface Span {
  /** Starts a span inside of this one. */
  child(name: string, attributes?: SpanAttributes): Span;
  set(attributes: SpanAttributes): void;
  /** Marks the span as failed; the text says why, without secrets. */
  fail(reason: string): void;
  end(): void;
  /** Runs `work` with this span as the current one, so that the runtime's own spans (fetch) come under it. */
  run<T>(work: () => T): T;
}

/** Starts traces. */
export interface Tracer {
  /** False: spans cost nothing and go nowhere, so attributes needn't be put together. */
  readonly isRecording: boolean;
  start(name: string, attributes?: SpanAttributes): Span;
  /** Starts a span inside of the current one, for code that isn't handed its parent. */
  inside(name: string, attributes?: SpanAttributes): Span;
}

const idleSpan: Span = {
  child: () => idleSpan,
  set: () => {},
  fail: () => {},
  end: () => {},
  run: (work) => work(),
};

/** Records nothing: every span is one and the same object. */
export const idleTracer: Tracer = { isRecording: false, start: () => idleSpan, inside: () => idleSpan };

/**
 * The tracer for this process. Deno exports spans where `OTEL_DENO=true` (docs.deno.com, "OpenTelemetry"); without it
 * not even the API is loaded.
 */
export async function openTracer(env: Readonly<Record<string, string | undefined>>): Promise<Tracer> {
  const isOn = env["OTEL_DENO"] === "true" || env["OTEL_DENO"] === "1";
  if (!isOn) return idleTracer;
  const { otelTracer } = await import("./otel_tracer.ts");
  return otelTracer();
}
