import assert from "node:assert/strict";
import type { Account } from "../../../src/accounts/account.ts";
import type { GrantedTokens } from "../../../src/oauth/access_token.ts";
import { GrantTurns } from "../../../src/oauth/grant_turns.ts";
import { TokenError } from "../../../src/oauth/token_error.ts";
import { TokenManager } from "../../../src/oauth/token_manager.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";
import { testAccount, testProvider } from "./test_account.ts";

type Obtain = (account: Account, signal: AbortSignal) => Promise<GrantedTokens>;

const never = new AbortController().signal;

/** A manager on a clock and a timer that the test turns by hand; each request gets token-1, token-2, …. */
function setUp(
  options: { account?: Account; obtain?: Obtain; persist?: (refreshToken: string) => Promise<void> } = {},
) {
  const { log, records, messages } = recordingLog();
  const state = {
    nowMs: 0,
    requests: 0,
    persisted: [] as string[],
    timer: undefined as { run: () => void; delayMs: number } | undefined,
    outcomes: [] as string[],
  };
  const plain: Obtain = () => Promise.resolve(granted(state.requests, state.nowMs));
  const manager = new TokenManager(options.account ?? testAccount(), {
    obtain: (account, signal) => {
      state.requests++;
      return (options.obtain ?? plain)(account, signal);
    },
    persist: async (_account, refreshToken) => {
      await options.persist?.(refreshToken);
      state.persisted.push(refreshToken);
    },
    findSuccessor: () => Promise.resolve(undefined),
    turns: new GrantTurns(),
    log,
    now: () => state.nowMs,
    random: () => 0,
    schedule: (run, delayMs) => {
      const timer = { run, delayMs };
      state.timer = timer;
      return () => {
        if (state.timer === timer) state.timer = undefined;
      };
    },
    onRefresh: ({ outcome }) => state.outcomes.push(outcome),
  });
  return { manager, state, records, messages };
}

function granted(number: number, nowMs: number, refreshToken?: string): GrantedTokens {
  return {
    accessToken: { value: `token-${number}`, expiresAtMs: nowMs + 3_600_000 },
    ...(refreshToken === undefined ? {} : { refreshToken }),
  };
}

function failure(code: TokenError["code"], retryAfterMs?: number): TokenError {
  return new TokenError(code, "it fails", { remedy: "mend it", error: "invalid_grant", retryAfterMs });
}

Deno.test("TokenManager makes one request for 500 callers", async () => {
  const { manager, state } = setUp();
  const tokens = await Promise.all(Array.from({ length: 500 }, () => manager.get(never)));
  assert.equal(state.requests, 1);
  assert.ok(tokens.every(({ value }) => value === "token-1"));
});

Deno.test("TokenManager ends only the wait of the caller who aborts", async () => {
  const answer = Promise.withResolvers<GrantedTokens>();
  const { manager } = setUp({ obtain: () => answer.promise });
  const controller = new AbortController();
  const impatient = manager.get(controller.signal);
  const patient = manager.get(never);
  const reason = new Error("client gone");
  controller.abort(reason);
  await assert.rejects(impatient, reason);
  answer.resolve(granted(1, 0));
  assert.equal((await patient).value, "token-1");
});

Deno.test("TokenManager serves the valid token while it refreshes ahead of expiry", async () => {
  const { manager, state } = setUp();
  await manager.get(never);
  state.nowMs = 3_600_000 - 299_000;
  assert.equal((await manager.get(never)).value, "token-1");
  await manager.close(); // ends the refresh
  assert.equal(state.requests, 2);
});

Deno.test("TokenManager refreshes by its timer with no caller about", async () => {
  const { manager, state } = setUp();
  await manager.get(never);
  assert.equal(state.timer?.delayMs, 3_300_000);
  state.nowMs = 3_300_000;
  state.timer?.run();
  assert.equal(state.requests, 2);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal((await manager.get(never)).value, "token-2");
});

Deno.test("TokenManager lets the token of a mailbox run out that has not sent for a day", async () => {
  const { manager, state } = setUp();
  await manager.get(never);
  state.nowMs = 25 * 3_600_000;
  state.timer?.run();
  assert.equal(state.requests, 1);
});

Deno.test("TokenManager pauses ever longer between tokens that expire at once while nobody sends", async () => {
  const { manager, state } = setUp({
    obtain: () => Promise.resolve({ accessToken: { value: "token", expiresAtMs: state.nowMs } }),
  });
  const pauses: (number | undefined)[] = [];
  await manager.get(never);
  for (let count = 0; count < 10; count++) {
    pauses.push(state.timer?.delayMs);
    state.nowMs += state.timer?.delayMs ?? 0;
    state.timer?.run();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300].map((seconds) => seconds * 1000));
  await manager.get(never);
  assert.equal(state.timer?.delayMs, 1000);
});

Deno.test("TokenManager drops an invalidated token, and a newer one not", async () => {
  const { manager, state } = setUp();
  const first = await manager.get(never);
  manager.invalidate(first);
  const second = await manager.get(never);
  manager.invalidate(first);
  assert.equal(await manager.get(never), await manager.get(never));
  assert.equal((await manager.get(never)).value, second.value);
  assert.equal(state.requests, 2);
});

Deno.test("TokenManager asks no more after a lost grant, and says so once", async () => {
  const { manager, state, messages } = setUp({
    obtain: () => Promise.reject(failure("NEEDS_AUTHORIZATION")),
  });
  for (let count = 0; count < 3; count++) {
    await assert.rejects(manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  }
  state.nowMs = 365 * 86_400_000;
  await assert.rejects(manager.get(never), { code: "NEEDS_AUTHORIZATION", remedy: "mend it" });
  assert.equal(state.requests, 1);
  assert.equal(messages().length, 1);
  assert.match(messages()[0] ?? "", /sender@example.com needs authorization: .*it fails\. mend it/);
  assert.equal(manager.state.state, "needs_authorization");
  assert.equal(manager.state.remedy, "mend it");
  assert.equal(state.timer, undefined);
});

Deno.test("TokenManager asks again when a lost grant was replaced, not when a limit was", async () => {
  let lost = true;
  const { manager, state } = setUp({
    obtain: () => lost ? Promise.reject(failure("NEEDS_AUTHORIZATION")) : Promise.resolve(granted(9, 0)),
  });
  await assert.rejects(manager.get(never));
  lost = false;
  manager.replaceAccount(testAccount({ provider: testProvider({ limits: { connections: 1 } }) }));
  await assert.rejects(manager.get(never));
  assert.equal(state.requests, 1);
  manager.replaceAccount(testAccount({ refreshToken: "new-grant" }));
  assert.equal((await manager.get(never)).value, "token-9");
});

Deno.test("TokenManager takes waiting callers along to a replaced grant", async () => {
  const { manager } = setUp({
    obtain: (account, signal) =>
      account.refreshToken === "new-grant"
        ? Promise.resolve(granted(2, 0))
        : new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const waiting = manager.get(never);
  manager.replaceAccount(testAccount({ refreshToken: "new-grant" }));
  assert.equal((await waiting).value, "token-2");
});

const changedSettings: [what: string, settings: Partial<Account>][] = [
  ["the scope", { scope: "other" }],
  ["the client secret", { clientSecret: "other" }],
  ["the e-mail's case", { email: "Sender@Example.com" }],
  ["the provider's scope", { provider: testProvider({ scope: "other" }) }],
];

for (const [what, settings] of changedSettings) {
  Deno.test(`TokenManager keeps a rotated token that comes after ${what} changed, and asks with that`, async () => {
    const answer = Promise.withResolvers<GrantedTokens>();
    const asked: Account[] = [];
    const { manager, state } = setUp({
      obtain: (account) => {
        asked.push(account);
        return asked.length === 1 ? answer.promise : Promise.resolve(granted(2, 0));
      },
    });
    const waiting = manager.get(never);
    manager.replaceAccount(testAccount(settings));
    const late = manager.get(never);
    assert.equal(asked.length, 1, "the refresh token is in use");
    answer.resolve(granted(1, 0, "refresh-1"));
    assert.equal((await waiting).value, "token-2");
    assert.equal((await late).value, "token-2");
    assert.deepEqual(state.persisted, ["refresh-1"]);
    assert.deepEqual(asked[1], testAccount({ ...settings, refreshToken: "refresh-1" }));
    assert.equal(asked.length, 2);
  });
}

Deno.test("TokenManager holds no failure of the old settings against the new ones", async () => {
  const answer = Promise.withResolvers<GrantedTokens>();
  const { manager, state, messages } = setUp({
    obtain: (account) => account.scope === "new" ? Promise.resolve(granted(2, 0)) : answer.promise,
  });
  const waiting = manager.get(never);
  manager.replaceAccount(testAccount({ scope: "new" }));
  answer.reject(failure("NEEDS_AUTHORIZATION"));
  assert.equal((await waiting).value, "token-2");
  assert.deepEqual(state.outcomes, ["refreshed"]);
  assert.equal(messages().some((message) => message.includes("needs authorization")), false);
});

Deno.test("TokenManager still writes a rotated token whose write failed after settings changed", async () => {
  let diskFull = true;
  const asked: (string | undefined)[] = [];
  const { manager, state } = setUp({
    obtain: ({ refreshToken }) => {
      asked.push(refreshToken);
      return Promise.resolve(granted(asked.length, 0, asked.length === 1 ? "refresh-1" : undefined));
    },
    persist: () => diskFull ? Promise.reject(new Error("ENOSPC")) : Promise.resolve(),
  });
  await assert.rejects(manager.get(never), /could not be written/);
  diskFull = false;
  manager.replaceAccount(testAccount({ scope: "new" }));
  assert.equal((await manager.get(never)).value, "token-2");
  assert.deepEqual(state.persisted, ["refresh-1"]);
  assert.deepEqual(asked, ["refresh-0", "refresh-1"]);
});

Deno.test("TokenManager holds off after a passing failure, then recovers", async () => {
  let failing = true;
  const { manager, state } = setUp({
    obtain: () =>
      failing ? Promise.reject(failure("TOKEN_UNAVAILABLE")) : Promise.resolve(granted(5, state.nowMs)),
  });
  await assert.rejects(manager.get(never), { code: "TOKEN_UNAVAILABLE" });
  await assert.rejects(manager.get(never), { code: "TOKEN_UNAVAILABLE" });
  assert.equal(state.requests, 1);
  assert.equal(manager.state.state, "failing");
  failing = false;
  state.nowMs = 1000;
  assert.equal((await manager.get(never)).value, "token-5");
  assert.equal(manager.state.state, "valid");
  assert.equal(manager.state.lastError, undefined);
  assert.deepEqual(state.outcomes, ["failed", "refreshed"]);
});

Deno.test("TokenManager keeps to Retry-After between requests", async () => {
  const { manager, state } = setUp({ obtain: () => Promise.reject(failure("TOKEN_UNAVAILABLE", 60_000)) });
  await assert.rejects(manager.get(never));
  state.nowMs = 59_999;
  await assert.rejects(manager.get(never));
  assert.equal(state.requests, 1);
  assert.equal(state.timer?.delayMs, 60_000);
});

Deno.test("TokenManager pauses ever longer although Retry-After says at once", async () => {
  const { manager, state } = setUp({ obtain: () => Promise.reject(failure("TOKEN_UNAVAILABLE", 0)) });
  const pauses: (number | undefined)[] = [];
  for (let count = 0; count < 4; count++) {
    await assert.rejects(manager.get(never));
    pauses.push(state.timer?.delayMs);
    state.nowMs += state.timer?.delayMs ?? 0;
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000]);
});

Deno.test("TokenManager serves a valid token although refreshes fail", async () => {
  let failing = false;
  const { manager, state } = setUp({
    obtain: () => failing ? Promise.reject(failure("TOKEN_UNAVAILABLE")) : Promise.resolve(granted(1, 0)),
  });
  await manager.get(never);
  failing = true;
  state.nowMs = 3_400_000;
  state.timer?.run();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal((await manager.get(never)).value, "token-1");
  assert.equal(manager.state.state, "valid");
  assert.match(manager.state.lastError ?? "", /it fails/);
});

Deno.test("TokenManager has a rotated token on disk before it hands out the access token", async () => {
  const onDisk = Promise.withResolvers<void>();
  const { manager, state } = setUp({
    obtain: () => Promise.resolve(granted(1, 0, "refresh-1")),
    persist: () => onDisk.promise,
  });
  let handedOut = false;
  const token = manager.get(never).then(() => handedOut = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(handedOut, false);
  onDisk.resolve();
  await token;
  assert.deepEqual(state.persisted, ["refresh-1"]);
  assert.equal(manager.account.refreshToken, "refresh-1");
});

Deno.test("TokenManager writes a rotated token that could not be written before it asks again", async () => {
  let diskFull = true;
  const asked: (string | undefined)[] = [];
  const { manager, state } = setUp({
    obtain: (account) => {
      asked.push(account.refreshToken);
      return Promise.resolve(granted(asked.length, 0, asked.length === 1 ? "refresh-1" : undefined));
    },
    persist: () => diskFull ? Promise.reject(new Error("ENOSPC")) : Promise.resolve(),
  });
  await assert.rejects(manager.get(never), /could not be written/);
  state.nowMs = 10_000;
  await assert.rejects(manager.get(never), /could not be written/);
  assert.deepEqual(asked, ["refresh-0"], "no request as long as the token is not on disk");
  diskFull = false;
  state.nowMs = 100_000;
  assert.equal((await manager.get(never)).value, "token-2");
  assert.deepEqual(state.persisted, ["refresh-1"]);
  assert.deepEqual(asked, ["refresh-0", "refresh-1"]);
});

Deno.test("TokenManager keeps the newer token when the one that it rotated away comes before it is written", async () => {
  const onDisk = Promise.withResolvers<void>();
  const writing = Promise.withResolvers<void>();
  const { manager } = setUp({
    obtain: () => Promise.resolve(granted(1, 0, "refresh-1")),
    persist: () => {
      writing.resolve();
      return onDisk.promise;
    },
  });
  const token = manager.get(never);
  await writing.promise;
  manager.replaceAccount(testAccount({ refreshToken: "refresh-0" }));
  onDisk.resolve();
  assert.equal((await token).value, "token-1");
  assert.equal(manager.account.refreshToken, "refresh-1");
});

Deno.test("TokenManager takes an older token that is entered once the newer one is written", async () => {
  const asked: (string | undefined)[] = [];
  const { manager } = setUp({
    obtain: ({ refreshToken }) => {
      asked.push(refreshToken);
      return Promise.resolve(granted(1, 0, "refresh-1"));
    },
  });
  await manager.get(never);
  manager.replaceAccount(testAccount({ refreshToken: "refresh-0" }));
  await manager.get(never);
  assert.deepEqual(asked, ["refresh-0", "refresh-0"]);
});

Deno.test("TokenManager.close aborts a request under way", async () => {
  const { manager } = setUp({
    obtain: (_, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const waiting = manager.get(never);
  await Promise.all([
    assert.rejects(waiting, { name: "TokenError", code: "TOKEN_UNAVAILABLE" }),
    manager.close(),
  ]);
  await assert.rejects(manager.get(never), { code: "TOKEN_UNAVAILABLE" });
});

Deno.test("TokenManager.close waits for a rotated token that is being written", async () => {
  const onDisk = Promise.withResolvers<void>();
  const writing = Promise.withResolvers<void>();
  const { manager, state } = setUp({
    obtain: () => Promise.resolve(granted(1, 0, "refresh-1")),
    persist: () => {
      writing.resolve();
      return onDisk.promise;
    },
  });
  const waiting = assert.rejects(manager.get(never));
  await writing.promise;
  const closing = manager.close();
  onDisk.resolve();
  await Promise.all([closing, waiting]);
  assert.deepEqual(state.persisted, ["refresh-1"]);
});

Deno.test("TokenManager.close tries once more to write a rotated token that could not be written", async () => {
  let diskFull = true;
  const { manager, state } = setUp({
    obtain: () => Promise.resolve(granted(1, 0, "refresh-1")),
    persist: () => diskFull ? Promise.reject(new Error("ENOSPC")) : Promise.resolve(),
  });
  await assert.rejects(manager.get(never), /could not be written/);
  diskFull = false;
  await manager.close();
  assert.deepEqual(state.persisted, ["refresh-1"]);
});

Deno.test("TokenManager.close says which account loses a rotated token that can't be written", async () => {
  const { manager, messages } = setUp({
    obtain: () => Promise.resolve(granted(1, 0, "refresh-1")),
    persist: () => Promise.reject(new Error("ENOSPC")),
  });
  await assert.rejects(manager.get(never), /could not be written/);
  await manager.close();
  assert.match(messages().at(-1) ?? "", /newest refresh token of .*sender@example.com.* is lost/);
});

Deno.test("TokenManager shows every state that it goes through", async () => {
  const answer = Promise.withResolvers<GrantedTokens>();
  const { manager } = setUp({ obtain: () => answer.promise });
  assert.deepEqual(manager.state, { state: "unknown" });
  const token = manager.get(never);
  assert.deepEqual(manager.state, { state: "refreshing" });
  answer.resolve(granted(1, 0));
  await token;
  assert.deepEqual(manager.state, { state: "valid", expiresAtMs: 3_600_000 });
});
