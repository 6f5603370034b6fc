import assert from "node:assert/strict";
import { tokenMargins } from "../../../src/oauth/refresh_schedule.ts";
import { testProvider } from "./test_account.ts";

const nowMs = 1_000_000;

function margins({ lifetimeMs, random = 0, hostname = "smtp.example.com" }: {
  lifetimeMs: number;
  random?: number;
  hostname?: string;
}) {
  const provider = testProvider({ smtpEndpoint: { hostname, port: 587 } });
  const token = { value: "t", expiresAtMs: nowMs + lifetimeMs };
  const { refreshAtMs, usableUntilMs } = tokenMargins(token, { nowMs, random, provider });
  return {
    refreshAheadMs: token.expiresAtMs - refreshAtMs,
    usableAheadMs: token.expiresAtMs - usableUntilMs,
  };
}

Deno.test("tokenMargins refreshes five to ten minutes ahead of expiry", () => {
  assert.equal(margins({ lifetimeMs: 3_600_000, random: 0 }).refreshAheadMs, 300_000);
  assert.equal(margins({ lifetimeMs: 3_600_000, random: 0.5 }).refreshAheadMs, 450_000);
});

Deno.test("tokenMargins leaves a short-lived token at least half of its life", () => {
  const { refreshAheadMs, usableAheadMs } = margins({ lifetimeMs: 60_000, random: 0.999 });
  assert.ok(refreshAheadMs <= 30_000, `${refreshAheadMs}`);
  assert.equal(usableAheadMs, 6000);
});

Deno.test("tokenMargins keeps ten minutes of life for Microsoft's high volume service", () => {
  const { refreshAheadMs, usableAheadMs } = margins({
    lifetimeMs: 3_600_000 * 2,
    hostname: "smtp-hve.office365.com",
  });
  assert.ok(usableAheadMs > 600_000);
  assert.ok(refreshAheadMs > usableAheadMs);
});

Deno.test("tokenMargins spreads the refreshes of tokens that came together", () => {
  const all = Array.from(
    { length: 100 },
    (_, index) => margins({ lifetimeMs: 3_600_000, random: index / 100 }),
  );
  const buckets = new Set(all.map(({ refreshAheadMs }) => Math.floor(refreshAheadMs / 30_000)));
  assert.equal(buckets.size, 10);
});
