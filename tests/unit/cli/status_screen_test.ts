import assert from "node:assert/strict";
import {
  duration,
  type StatusAccount,
  type StatusBody,
  statusLines,
} from "../../../src/cli/status_screen.ts";

function account(email: string, more: Partial<StatusAccount> = {}): StatusAccount {
  return { email, provider: "gmail", token: { state: "valid" }, rates: {}, ...more };
}

function screen(accounts: readonly StatusAccount[], more: Partial<StatusBody> = {}, all = false): string {
  const status: StatusBody = {
    version: "1.0.0",
    deno: "2.9.6",
    pid: 7,
    state: "running",
    uptime_seconds: 7500,
    admin_only: false,
    dry_run: false,
    listeners: [{ hostname: "127.0.0.1", port: 2525, security: "none" }],
    sessions: 3,
    transactions: 1,
    open_circuits: [],
    resident_memory_bytes: 64 * 2 ** 20,
    total_accounts: accounts.length,
    account_states: { valid: accounts.length },
    accounts,
    ...more,
  };
  return statusLines(status, { all, isTerminal: false }).join("\n");
}

const pool = { open: 2, idle: 1, dialing: 0, waiting: 4, limit: 3, transactions: 5 };

Deno.test("statusLines begins with what runs, where, and how much", () => {
  assert.equal(
    screen([account("a@example.com")]).split("\n").slice(0, 4).join("\n"),
    [
      "xoauth2-proxy 1.0.0  running for 2 h 5 min  (pid 7, Deno 2.9.6, 64 MiB)",
      "listeners  127.0.0.1:2525 (none)",
      "sessions   3, messages under way 1",
      "accounts   1: 1 valid",
    ].join("\n"),
  );
});

Deno.test("statusLines names the modes", () => {
  assert.match(screen([], { admin_only: true, dry_run: true }), /for 2 h 5 min, admin only, dry run {2}\(/);
});

Deno.test("statusLines shows who needs authorization, with cause and remedy", () => {
  const token = { state: "needs_authorization", last_error: "it answered 400", remedy: "Authorize again" };
  assert.match(
    screen([account("a@example.com", { token })]),
    /Needs authorization: 1\n {2}a@example\.com\n {4}it answered 400\n {4}Authorize again: xoauth2-proxy account authorize a@example\.com/,
  );
});

Deno.test("statusLines names the command only where the remedy is to authorize", () => {
  const remedy = "Check client_id and client_secret: the provider does not accept them";
  const text = screen([account("a@example.com", { token: { state: "needs_authorization", remedy } })]);
  assert.match(text, /^ {4}Check client_id and client_secret: the provider does not accept them$/m);
  assert.doesNotMatch(text, /account authorize/);
});

Deno.test("statusLines shows who is throttled, and for how long", () => {
  const backoff = { reason: "432 4.3.2", remedy: "It goes on by itself", remaining_seconds: 90 };
  assert.match(
    screen([account("a@example.com", { pool: { ...pool, backoff } })]),
    /Throttled: 1\n {2}a@example\.com\n {4}432 4\.3\.2 \(1 min 30 s left\)\n {4}It goes on/,
  );
});

Deno.test("statusLines shows pool and rates of the busiest accounts first", () => {
  const accounts = [
    account("idle@example.com"),
    account("busy@example.com", { pool, rates: { messages_this_minute: 12, recipients_today: 900 } }),
  ];
  const lines = screen(accounts).split("\n");
  const place = lines.findIndex((line) => line.startsWith("ACCOUNT"));
  assert.match(lines[place + 1]!, /^busy@example\.com +gmail +valid +2 +1 +4 +3 +12 +900$/);
  assert.match(lines[place + 2]!, /^idle@example\.com +gmail +valid$/);
});

Deno.test("statusLines fits 500 accounts on one screen unless all are asked for", () => {
  const token = { state: "needs_authorization" };
  const accounts = Array.from({ length: 500 }, (_, number) => account(`u${number}@example.com`, { token }));
  const lines = screen(accounts).split("\n");
  assert.ok(lines.length <= 40, `${lines.length}`);
  assert.match(lines.at(-1)!, /and 488 more \(--all\)/);
  assert.ok(screen(accounts, {}, true).split("\n").length > 1000);
});

Deno.test("statusLines says how to begin when there are no accounts", () => {
  assert.match(screen([]), /No accounts yet: xoauth2-proxy account add$/);
});

Deno.test("statusLines names mail servers that are left alone", () => {
  assert.match(screen([], { open_circuits: ["smtp.example:587"] }), /left alone smtp\.example:587/);
});

for (
  const [seconds, text] of [
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [61, "1 min 1 s"],
    [3600, "1 h"],
    [90_061, "1 d 1 h"],
  ] as const
) {
  Deno.test(`duration of ${seconds} is ${text}`, () => {
    assert.equal(duration(seconds), text);
  });
}
