import assert from "node:assert/strict";
import {
  formatCount,
  formatMs,
  formatOctets,
  formatSpan,
  formatTime,
} from "../../../../src/admin/page/format_measures.ts";

Deno.test("format functions write measures as people read them", () => {
  const rows: [string, string][] = [
    [formatOctets(0), "0 B"],
    [formatOctets(1023), "1023 B"],
    [formatOctets(1536), "1.5 KiB"],
    [formatOctets(26_214_400), "25 MiB"],
    [formatMs(0.4), "0 ms"],
    [formatMs(999), "999 ms"],
    [formatMs(3400), "3.4 s"],
    [formatSpan(59), "59 s"],
    [formatSpan(725), "12 min"],
    [formatSpan(11_100), "3 h 5 min"],
    [formatSpan(187_200), "2 d 4 h"],
    [formatCount(1, "message"), "1 message"],
    [formatCount(1234, "message"), "1,234 messages"],
  ];
  for (const [actual, expected] of rows) assert.equal(actual, expected);
});

Deno.test("formatTime adds the date unless it is today's", () => {
  const at = new Date(2026, 10, 23, 4, 5, 9).getTime();
  assert.equal(formatTime(at, at + 1000), "04:05:09");
  assert.equal(formatTime(at, at + 86_400_000), "2026-11-23 04:05:09");
});
