import {
  context,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as OtelTracer,
} from "@opentelemetry/api";
import type { Span, SpanAttributes, Tracer } from "./tracer.ts";

/** Spans through the OpenTelemetry API, which Deno exports. Load this file only where `OTEL_DENO=true`. */
export function otelTracer(): Tracer {
  const tracer = trace.getTracer("xoauth2-proxy");
  return {
    isRecording: true,
    // A trace begins at the client, whatever happened to be current when its command came.
    start: (name, attributes) => {
      const options = { kind: SpanKind.SERVER, root: true, ...(attributes && { attributes }) };
      return new RecordingSpan(tracer, tracer.startSpan(name, options));
    },
    inside: (name, attributes) =>
      new RecordingSpan(
        tracer,
        tracer.startSpan(name, { kind: SpanKind.CLIENT, ...(attributes && { attributes }) }),
      ),
  };
}

class RecordingSpan implements Span {
  readonly #tracer: OtelTracer;
  readonly #span: OtelSpan;

  constructor(tracer: OtelTracer, span: OtelSpan) {
    this.#tracer = tracer;
    this.#span = span;
  }

  child(name: string, attributes?: SpanAttributes): Span {
    const parent = trace.setSpan(context.active(), this.#span);
    const options = { kind: SpanKind.CLIENT, ...(attributes && { attributes }) };
    return new RecordingSpan(this.#tracer, this.#tracer.startSpan(name, options, parent));
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  fail(reason: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
  }

  end(): void {
    this.#span.end();
  }

  run<T>(work: () => T): T {
    return context.with(trace.setSpan(context.active(), this.#span), work);
  }
}
