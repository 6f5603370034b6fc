/** A local OTLP collector: keeps the spans that a process exports to it over HTTP/JSON. */

/** A span as OTLP's JSON has it. */
export interface OtlpSpan {
  readonly name: string;
  readonly spanId: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly status?: { readonly message?: string };
  readonly attributes: readonly { readonly key: string }[];
}

/** A running collector. */
export interface OtlpCollector extends AsyncDisposable {
  readonly spans: readonly OtlpSpan[];
  /** What was received, as text, to search it. */
  readonly text: string;
  /** The environment that makes a Deno process export to it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a collector on a free port. */
export function startOtlpCollector(): OtlpCollector {
  const spans: OtlpSpan[] = [];
  let text = "";
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const body = await request.text();
    if (new URL(request.url).pathname === "/v1/traces") {
      text += body;
      for (const { scopeSpans } of JSON.parse(body).resourceSpans) {
        spans.push(...scopeSpans.flatMap((scope: { spans: OtlpSpan[] }) => scope.spans));
      }
    }
    return Response.json({});
  });
  return {
    spans,
    get text() {
      return text;
    },
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
