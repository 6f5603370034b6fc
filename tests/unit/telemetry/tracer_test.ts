import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { idleTracer, openTracer } from "../../../src/telemetry/tracer.ts";

Deno.test("openTracer makes nothing while OpenTelemetry is off", async () => {
  const tracer = await openTracer({ OTEL_DENO: "false" });
  assert.equal(tracer, idleTracer);
  assert.equal(tracer.isRecording, false);
  const span = tracer.start("transaction");
  assert.equal(span.child("pool wait"), span);
  assert.equal(span.run(() => 7), 7);
  span.end();
});

interface OtlpSpan {
  readonly name: string;
  readonly spanId: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly status?: { readonly message?: string };
  readonly attributes: readonly { readonly key: string }[];
}

Deno.test("openTracer exports a transaction with its children to a collector", async () => {
  const spans: OtlpSpan[] = [];
  await using collector = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const body = await request.json();
      if (new URL(request.url).pathname === "/v1/traces") {
        for (const { scopeSpans } of body.resourceSpans) {
          spans.push(
            ...scopeSpans.flatMap((scope: { spans: OtlpSpan[] }) => scope.spans),
          );
        }
      }
      return Response.json({});
    },
  );
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("traced_transaction.ts", import.meta.url))],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const named = (name: string) => spans.find((span) => span.name === name);
  const transaction = named("transaction");
  assert.ok(transaction);
  assert.ok(!transaction.parentSpanId);
  assert.deepEqual(transaction.attributes.map(({ key }) => key).sort(), ["octets", "outcome"]);
  for (const name of ["pool wait", "upstream"]) {
    assert.equal(named(name)?.parentSpanId, transaction.spanId);
    assert.equal(named(name)?.traceId, transaction.traceId);
  }
  assert.equal(named("token")?.parentSpanId, named("pool wait")?.spanId);
  assert.equal(named("upstream")?.status?.message, "421 4.3.0 busy");
});
