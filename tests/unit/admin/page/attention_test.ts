import assert from "node:assert/strict";
import type { Account } from "../../../../src/accounts/account.ts";
import type { AccountStatus } from "../../../../src/admin/admin_context.ts";
import { accountsInNeed, conditionOf } from "../../../../src/admin/page/attention.ts";

const connected = { grant: "refresh_token", refreshToken: "grant" } as Account;

function status(email: string, more: Partial<AccountStatus> = {}): AccountStatus {
  return { email, provider: "gmail", token: { state: "valid" }, rates: {}, ...more };
}

const pool = { open: 0, idle: 0, dialing: 0, waiting: 0, limit: 3, transactions: 0 };
const blocked = status("blocked@x.example", {
  token: { state: "needs_authorization", lastError: "revoked", remedy: "authorize" },
});
const failing = status("failing@x.example", {
  token: { state: "failing", lastError: "no answer", remedy: "wait" },
});
const slowed = status("slowed@x.example", {
  pool: { ...pool, backoff: { reason: "432", remedy: "slower", remainingMs: 30_500, failures: 1 } },
});
const spent = status("spent@x.example", { rates: { recipientsToday: 0 } });

Deno.test("accountsInNeed puts the gravest first and leaves out those that are fine", () => {
  const all = [status("fine@x.example"), spent, slowed, failing, blocked];
  assert.deepEqual(
    accountsInNeed(all, () => connected).map(({ email, condition, cause, remedy }) => [
      email.split("@")[0],
      condition,
      cause,
      remedy,
    ]),
    [
      ["blocked", "blocked", "revoked", "authorize"],
      ["failing", "failing", "no answer", "wait"],
      ["slowed", "slowed", "432 (waits another 31 s)", "slower"],
      [
        "spent",
        "limit",
        "The mailbox has used up its recipients of 24 hours",
        "Mail waits at its senders; spread the load over more mailboxes",
      ],
    ],
  );
});

Deno.test("conditionOf tells accounts without a grant from those that nobody has tried", () => {
  const untried = status("a@x.example", { token: { state: "unknown" } });
  assert.equal(conditionOf(untried, connected), "untried");
  assert.equal(conditionOf(untried, { grant: "refresh_token" } as Account), "unconnected");
  assert.equal(conditionOf(untried, { grant: "client_credentials" } as Account), "untried");
  assert.equal(conditionOf(status("a@x.example"), connected), "fine");
});
