import assert from "node:assert/strict";
import { traceField, type TraceOptions } from "../../../src/submission/trace_field.ts";

function write(options: Partial<TraceOptions> = {}): string {
  return new TextDecoder().decode(traceField({
    hello: "client.example",
    clientAddress: "192.0.2.1",
    hostname: "proxy.test",
    isSecure: true,
    isSignedIn: true,
    id: "0001.1",
    date: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
    ...options,
  }));
}

Deno.test("traceField writes RFC 5321 §4.4's field, folded, in UTC", () => {
  assert.equal(
    write(),
    "Received: from client.example ([192.0.2.1])\r\n\tby proxy.test with ESMTPSA id 0001.1;\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\n",
  );
});

Deno.test("traceField writes IPv6 addresses as literals (RFC 5321 §4.1.3)", () => {
  assert.match(write({ clientAddress: "2001:db8::1" }), /\(\[IPv6:2001:db8::1\]\)/);
});

for (
  const [isSecure, isSignedIn, keyword] of [
    [false, false, "ESMTP"],
    [true, false, "ESMTPS"],
    [false, true, "ESMTPA"],
    [true, true, "ESMTPSA"],
  ] as const
) {
  Deno.test(`traceField says ${keyword} (RFC 3848)`, () => {
    assert.ok(write({ isSecure, isSignedIn }).includes(` with ${keyword} id `));
  });
}

Deno.test("traceField takes no header out of what the client calls itself", () => {
  const field = write({ hello: "x\r\nBcc: a@example.com (\u00e4;\t)" });
  assert.equal(field.split("\r\n").length, 4);
  assert.match(field, /^Received: from x\?\?Bcc:\?a\?example\.com[?]+ \(\[192\.0\.2\.1\]\)\r\n/);
});
