import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startOtlpCollector } from "../../support/otlp_collector.ts";
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

Deno.test("openTracer exports a transaction with its children to a collector", async () => {
  await using collector = startOtlpCollector();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("traced_transaction.ts", import.meta.url))],
    env: collector.env,
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const named = (name: string) => collector.spans.find((span) => span.name === name);
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
