import assert from "node:assert/strict";
import { traceField, type TraceOptions } from "../../../src/submission/trace_field.ts";

function write(options: Partial<TraceOptions> = {}): string {
  return new TextDecoder().decode(traceField({
    hello: { name: "client.example", isExtended: true },
    clientAddress: "192.0.2.1",
    hostname: "proxy.test",
    isSecure: true,
    isSignedIn: true,
    smtputf8: false,
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

const PROTOCOLS: readonly (readonly [keyword: string, verb: "HELO" | "EHLO", ...flags: boolean[]])[] = [
  // smtputf8, isSecure, isSignedIn
  ["ESMTP", "EHLO", false, false, false],
  ["ESMTPS", "EHLO", false, true, false],
  ["ESMTPA", "EHLO", false, false, true],
  ["ESMTPSA", "EHLO", false, true, true],
  ["UTF8SMTP", "EHLO", true, false, false],
  ["UTF8SMTPS", "EHLO", true, true, false],
  ["UTF8SMTPA", "EHLO", true, false, true],
  ["UTF8SMTPSA", "EHLO", true, true, true],
  ["SMTP", "HELO", false, false, false],
  ["SMTP", "HELO", false, true, true],
  ["UTF8SMTPS", "HELO", true, true, false],
];
for (const [keyword, verb, smtputf8 = false, isSecure = false, isSignedIn = false] of PROTOCOLS) {
  const how = [verb, smtputf8 && "SMTPUTF8", isSecure && "TLS", isSignedIn && "AUTH"].filter(Boolean).join(
    ", ",
  );
  Deno.test(`traceField says ${keyword} after ${how} (RFC 3848, RFC 6531 §4.3)`, () => {
    const hello = { name: "client.example", isExtended: verb === "EHLO" };
    assert.ok(write({ hello, smtputf8, isSecure, isSignedIn }).includes(` with ${keyword} id `));
  });
}

Deno.test("traceField takes no header out of what the client calls itself", () => {
  const name = "x\r\nBcc: a@example.com (\u00e4;\t)";
  const field = write({ hello: { name, isExtended: true } });
  assert.equal(field.split("\r\n").length, 4);
  assert.match(field, /^Received: from x\?\?Bcc:\?a\?example\.com[?]+ \(\[192\.0\.2\.1\]\)\r\n/);
});
