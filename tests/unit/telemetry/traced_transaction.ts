/** A program that traces one made-up transaction; `tracer_test.ts` runs it with OpenTelemetry on. */

import { openTracer } from "../../../src/telemetry/tracer.ts";

const tracer = await openTracer(Deno.env.toObject());
if (!tracer.isRecording) Deno.exit(2);
const transaction = tracer.start("transaction", { octets: 5 });
const wait = transaction.child("pool wait");
wait.child("token").end();
wait.end();
const upstream = transaction.child("upstream");
upstream.fail("421 4.3.0 busy");
upstream.end();
transaction.set({ outcome: "deferred" });
transaction.end();
