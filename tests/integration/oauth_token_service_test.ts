/** The token service against an endpoint on a real socket that answers all that FACTS of the providers list. */

import assert from "node:assert/strict";
import type { Account } from "../../src/accounts/account.ts";
import { TokenService, type TokenServiceOptions } from "../../src/oauth/token_service.ts";
import { ScriptedTokenEndpoint, type TokenAnswer } from "../support/token_endpoint.ts";
import { recordingLog } from "../unit/lifecycle/recording_log.ts";
import { testAccount, testProvider } from "../unit/oauth/test_account.ts";

const never = new AbortController().signal;
const secrets = ["secret-of-client", "refresh-0", "refresh-1", "refresh-2", "token-"];

type Setup = Partial<TokenServiceOptions> & { readonly account?: Partial<Account> };

async function setUp({ account: settings, ...options }: Setup = {}) {
  const endpoint = await ScriptedTokenEndpoint.start();
  const { log, records, messages } = recordingLog();
  const clock = { nowMs: Date.now() };
  const persisted: [account: Account, refreshToken: string][] = [];
  const service = new TokenService({
    tokenTimeoutMs: 2000,
    persist: (account, refreshToken) => {
      persisted.push([account, refreshToken]);
      return Promise.resolve();
    },
    log,
    now: () => clock.nowMs,
    ...options,
  });
  const account = testAccount({ provider: testProvider({ tokenUrl: endpoint.url }), ...settings });
  return {
    endpoint,
    service,
    account,
    manager: service.for(account),
    clock,
    persisted,
    messages,
    /** Everything that a log could print of the records, causes and stacks of errors included. */
    logged: () => Deno.inspect(records, { depth: 20, strAbbreviateSize: 100_000 }),
    async [Symbol.asyncDispose]() {
      await service.close();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}

function tokenBody(number: number, more: Record<string, unknown> = {}): TokenAnswer {
  return { body: { access_token: `token-${number}`, token_type: "Bearer", expires_in: 3600, ...more } };
}

Deno.test("TokenService makes one request for 500 sessions of a cold account", async () => {
  await using test = await setUp();
  const tokens = await Promise.all(
    Array.from({ length: 500 }, () => test.service.for(test.account).get(never)),
  );
  assert.equal(test.endpoint.requestCount, 1);
  assert.equal(new Set(tokens.map(({ value }) => value)).size, 1);
});

const passingFailures: [name: string, answer: TokenAnswer, expected: RegExp][] = [
  ["hangs", "hang", /endpoint 127\.0\.0\.1:\d+ did not answer in time/],
  ["resets the connection", "reset", /endpoint 127\.0\.0\.1:\d+ can't be reached/],
  ["closes the connection", "close", /can't be reached/],
  [
    "breaks off in the middle",
    { ...tokenBody(1) as object, truncated: true },
    /endpoint 127\.0\.0\.1:\d+ can't be reached/,
  ],
  [
    "answers with a page",
    { headers: { "content-type": "text/html" }, body: "<html>Sign in</html>" },
    /holds no token/,
  ],
  ["answers with a page and 500", { status: 500, body: "<html>Oops</html>" }, /answered 500/],
  ["redirects", { status: 302, headers: { location: "http://127.0.0.1:9/" } }, /answered 302/],
  [
    "answers 503 with JSON",
    { status: 503, body: { error: "temporarily_unavailable" } },
    /503 temporarily_unavailable/,
  ],
  ["forgets the token", { body: { token_type: "Bearer" } }, /holds no token/],
  ["answers with an empty token", { body: { access_token: "", token_type: "Bearer" } }, /holds no token/],
];

for (const [name, answer, expected] of passingFailures) {
  Deno.test(`TokenService calls it passing when the endpoint ${name}, and recovers`, async () => {
    await using test = await setUp({ tokenTimeoutMs: 300 });
    test.endpoint.always(answer);
    await assert.rejects(test.manager.get(never), { code: "TOKEN_UNAVAILABLE", message: expected });
    assert.equal(test.manager.state.state, "failing");
    assert.match(test.messages().join("\n"), /can't be refreshed/);
    test.endpoint.always(tokenBody(7));
    test.clock.nowMs += 1000;
    assert.equal((await test.manager.get(never)).value, "token-7");
    assert.equal(test.manager.state.state, "valid");
  });
}

Deno.test("TokenService does not ask again before a Retry-After is over", async () => {
  await using test = await setUp();
  test.endpoint.always({ status: 429, headers: { "retry-after": "60" }, body: "Too Many Requests" });
  await assert.rejects(test.manager.get(never), { code: "TOKEN_UNAVAILABLE", retryAfterMs: 60_000 });
  test.endpoint.always(undefined);
  test.clock.nowMs += 59_000;
  await assert.rejects(test.manager.get(never), { code: "TOKEN_UNAVAILABLE" });
  assert.equal(test.endpoint.requestCount, 1);
  test.clock.nowMs += 1000;
  assert.match((await test.manager.get(never)).value, /^token-/);
});

Deno.test("TokenService outlives a reset within one request's budget", async () => {
  await using test = await setUp();
  test.endpoint.once("reset");
  test.endpoint.once({ status: 503, body: "busy" });
  assert.equal((await test.manager.get(never)).value, "token-3");
});

Deno.test("TokenService stops asking at a revoked grant until the account changes", async () => {
  await using test = await setUp();
  test.endpoint.always({
    status: 400,
    body: { error: "invalid_grant", error_description: "refresh-0 revoked", error_codes: [50173] },
  });
  for (let count = 0; count < 3; count++) {
    await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  }
  assert.equal(test.endpoint.requestCount, 1);
  assert.equal(test.messages().length, 1);
  test.endpoint.always(undefined);
  test.service.replace([{ ...test.account, refreshToken: "refresh-2" }]);
  assert.match((await test.manager.get(never)).value, /^token-/);
  assert.equal(test.endpoint.requests.at(-1)?.form.get("refresh_token"), "refresh-2");
});

Deno.test("TokenService reads an OAuth error beside a challenge", async () => {
  await using test = await setUp();
  test.endpoint.always({
    status: 401,
    headers: { "www-authenticate": "Basic" },
    body: { error: "invalid_client" },
  });
  await assert.rejects(test.manager.get(never), {
    code: "NEEDS_AUTHORIZATION",
    error: "invalid_client",
    status: 401,
  });
});

Deno.test("TokenService follows a chain of rotations and never uses a token twice", async () => {
  await using test = await setUp();
  const used = new Set<string>();
  test.endpoint.always(({ form }) => {
    const token = form.get("refresh_token") ?? "";
    if (used.has(token)) return { status: 400, body: { error: "invalid_grant" } };
    used.add(token);
    return tokenBody(used.size, { refresh_token: `refresh-${used.size}` });
  });
  for (let count = 1; count <= 10; count++) {
    const token = await test.manager.get(never);
    assert.equal(token.value, `token-${count}`);
    test.manager.invalidate(token);
  }
  assert.deepEqual(
    test.persisted.map(([account, next]) => [account.refreshToken, next]),
    Array.from({ length: 10 }, (_, index) => [`refresh-${index}`, `refresh-${index + 1}`]),
  );
});

Deno.test("TokenService lets probes and refreshes of an account take turns, each with the newest token", async () => {
  await using test = await setUp();
  let current = "refresh-0";
  const used: string[] = [];
  test.endpoint.always(({ form }) => {
    const token = form.get("refresh_token") ?? "";
    used.push(token);
    if (token !== current) return { status: 400, body: { error: "invalid_grant" } };
    current = `refresh-${used.length}`;
    return tokenBody(used.length, { refresh_token: current });
  });
  const probe = () =>
    test.service.probe(() => test.manager.account, { keep: () => Promise.resolve(), signal: never });
  const [first, token, second] = await Promise.all([probe(), test.manager.get(never), probe()]);
  assert.deepEqual(used, ["refresh-0", "refresh-1", "refresh-2"]);
  assert.deepEqual([first.isRotated, token.value, second.isRotated], [true, "token-2", true]);
});

Deno.test("TokenService lets who waited for a turn when a new grant was entered ask behind the others", async () => {
  await using test = await setUp();
  const hanging = Promise.withResolvers<void>();
  let current = "entered";
  const used: string[] = [];
  test.endpoint.always(({ form }) => {
    const token = form.get("refresh_token") ?? "";
    used.push(token);
    if (used.length === 1) return { until: hanging.promise, then: "close" };
    if (token !== current) return { status: 400, body: { error: "invalid_grant" } };
    current = `rotated-${used.length}`;
    return tokenBody(used.length, { refresh_token: current });
  });
  const token = test.manager.get(never);
  const probe = test.service.probe(() => test.manager.account, {
    keep: () => Promise.resolve(),
    signal: never,
  });
  await test.endpoint.waitForRequests(1);
  test.service.replace([{ ...test.manager.account, refreshToken: "entered" }]);
  await Promise.all([token, probe]);
  hanging.resolve();
  assert.deepEqual(used.slice(1).sort(), ["entered", "rotated-2"]);
  assert.equal(test.manager.state.state, "valid");
});

Deno.test("TokenService sends a new grant once at a time although a probe was refused with the old one", async () => {
  await using test = await setUp();
  const refused = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const used: string[] = [];
  let open = 0;
  let mostOpen = 0;
  test.endpoint.always(({ form }) => {
    const token = form.get("refresh_token") ?? "";
    used.push(token);
    if (token === "refresh-0") {
      return { until: refused.promise, then: { status: 400, body: { error: "invalid_grant" } } };
    }
    mostOpen = Math.max(mostOpen, ++open);
    return {
      until: answered.promise.then(() => open--),
      then: tokenBody(used.length, { refresh_token: `rotated-${used.length}` }),
    };
  });
  const probe = test.service.probe(() => test.manager.account, {
    keep: () => Promise.resolve(),
    signal: never,
  });
  await test.endpoint.waitForRequests(1);
  test.service.replace([{ ...test.manager.account, refreshToken: "entered" }]);
  const token = test.manager.get(never);
  await test.endpoint.waitForRequests(2);
  refused.resolve();
  await Promise.all([test.endpoint.waitForRequests(3), token, probe, answered.resolve()]);
  assert.deepEqual([used, mostOpen], [["refresh-0", "entered", "rotated-2"], 1]);
});

Deno.test("TokenService finds the token that another process got after this one's was refused", async () => {
  const disk: { token?: string } = {};
  await using test = await setUp({ findSuccessor: () => Promise.resolve(disk.token) });
  test.endpoint.always(({ form }) =>
    form.get("refresh_token") === "refresh-0"
      ? { status: 400, body: { error: "invalid_grant" } }
      : tokenBody(1)
  );
  await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  disk.token = "refresh-1";
  await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  test.clock.nowMs += 10_000;
  assert.equal((await test.manager.get(never)).value, "token-1");
  assert.equal(test.endpoint.requestCount, 2);
});

Deno.test("TokenService sends no refresh token that nobody would wait for once it closes", async () => {
  await using test = await setUp();
  const answer = Promise.withResolvers<void>();
  test.endpoint.always({ until: answer.promise, then: tokenBody(1, { refresh_token: "rotated" }) });
  const kept: string[] = [];
  const probe = () =>
    test.service.probe(() => test.manager.account, {
      keep: (_account, refreshToken) => Promise.resolve(void kept.push(refreshToken)),
      signal: never,
    });
  const [first, second] = [probe(), probe()];
  await test.endpoint.waitForRequests(1);
  const closing = test.service.close();
  answer.resolve();
  await first;
  await assert.rejects(second, { name: "AbortError" });
  await closing;
  assert.deepEqual([kept, test.endpoint.requestCount], [["rotated"], 1]);
});

Deno.test("TokenService asks once more with a refresh token that another process has put on disk", async () => {
  let onDisk = "refresh-1";
  await using test = await setUp({ findSuccessor: () => Promise.resolve(onDisk) });
  let current = "refresh-1";
  test.endpoint.always(({ form }) => {
    if (form.get("refresh_token") !== current) return { status: 400, body: { error: "invalid_grant" } };
    current += "-next";
    return tokenBody(test.endpoint.requestCount, { refresh_token: current });
  });
  const token = await test.manager.get(never);
  assert.equal(token.value, "token-2");
  assert.deepEqual(test.persisted.map(([account, next]) => [account.refreshToken, next]), [
    ["refresh-1", "refresh-1-next"],
  ]);
  test.manager.invalidate(token);
  onDisk = current = "refresh-5";
  const probed = await test.service.probe(() => test.manager.account, {
    keep: () => Promise.resolve(),
    signal: never,
  });
  assert.deepEqual([probed.account.refreshToken, test.manager.account.refreshToken], [
    "refresh-5",
    "refresh-5-next",
  ]);
});

Deno.test("TokenService gives a grant up when what is on disk is refused too", async () => {
  await using test = await setUp({ findSuccessor: () => Promise.resolve("refresh-1") });
  test.endpoint.always({ status: 400, body: { error: "invalid_grant" } });
  await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  assert.equal(test.endpoint.requestCount, 2);
});

Deno.test("TokenService takes no refresh token beside the grant of an app", async () => {
  await using test = await setUp({ account: { grant: "client_credentials" } });
  const { refreshToken: _none, ...account } = test.account;
  test.manager.replaceAccount(account);
  test.endpoint.always(() => tokenBody(test.endpoint.requestCount, { refresh_token: "needless" }));
  const token = await test.manager.get(never);
  test.service.replace([account]);
  assert.equal((await test.manager.get(never)).value, token.value);
  assert.deepEqual(test.persisted, []);
});

const answersWithFaults: [body: Record<string, unknown>, expected: RegExp][] = [
  [{ access_token: undefined }, /answer holds no token$/],
  [{ access_token: "token-1\x01" }, /answer has no usable access_token$/],
  [{ token_type: undefined }, /answer has no usable token_type$/],
  [{ token_type: "mac" }, /answer has no usable token_type$/],
  [{ expires_in: "soon" }, /answer has no usable expires_in$/],
  [{ refresh_token: 1 }, /answer has no usable refresh_token$/],
  [{ scope: 1 }, /answer has no usable scope$/],
];

for (const [body, expected] of answersWithFaults) {
  Deno.test(`TokenService names what an answer with ${Deno.inspect(body)} lacks`, async () => {
    await using test = await setUp();
    test.endpoint.always(tokenBody(1, body));
    await assert.rejects(test.manager.get(never), { code: "TOKEN_UNAVAILABLE", message: expected });
  });
}

const halfUsableAnswers: [why: string, body: Record<string, unknown>][] = [
  ["expires_in is text", { expires_in: "soon" }],
  ["expires_in is negative", { expires_in: -1 }],
  ["token_type is missing", { token_type: undefined }],
  ["scope is a number", { scope: 1 }],
  ["access_token has a control character", { access_token: "token-1\x01" }],
  ["access_token is missing", { access_token: undefined }],
  ["access_token is missing and an error there", { access_token: undefined, error: "server_error" }],
];

for (const [why, body] of halfUsableAnswers) {
  Deno.test(`TokenService keeps the rotated refresh token of an answer whose ${why}`, async () => {
    await using test = await setUp();
    test.endpoint.once(tokenBody(1, { refresh_token: "refresh-1", ...body }));
    await assert.rejects(test.manager.get(never), { code: "TOKEN_UNAVAILABLE" });
    assert.deepEqual(test.persisted.map(([{ refreshToken }, next]) => [refreshToken, next]), [
      ["refresh-0", "refresh-1"],
    ]);
    test.clock.nowMs += 60_000;
    assert.equal((await test.manager.get(never)).value, "token-2");
    assert.deepEqual(
      test.endpoint.requests.map(({ form }) => form.get("refresh_token")),
      ["refresh-0", "refresh-1"],
    );
    assert.doesNotMatch(test.logged(), /refresh-1/);
  });
}

for (const empty of [null, ""]) {
  Deno.test(`TokenService takes fields of an answer that are ${JSON.stringify(empty)} for absent`, async () => {
    await using test = await setUp();
    test.endpoint.once(
      tokenBody(1, { refresh_token: empty, scope: empty, expires_in: empty, id_token: empty }),
    );
    assert.equal((await test.manager.get(never)).value, "token-1");
    assert.deepEqual(test.persisted, []);
  });
}

Deno.test("TokenService.retryRefused lets accounts ask again whose refusal somebody has mended", async () => {
  await using test = await setUp();
  test.endpoint.once({ status: 401, body: { error: "invalid_client" } });
  await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  await assert.rejects(test.manager.get(never), { code: "NEEDS_AUTHORIZATION" });
  assert.equal(test.endpoint.requestCount, 1);
  test.service.retryRefused();
  await test.manager.get(never);
  assert.equal(test.endpoint.requestCount, 2);
});

Deno.test("TokenService takes a response with an ID token of any issuer", async () => {
  await using test = await setUp();
  test.endpoint.once(tokenBody(1, { id_token: "not.a.jwt" }));
  assert.equal((await test.manager.get(never)).value, "token-1");
});

Deno.test("TokenService writes no secret into log, errors or state", async () => {
  await using test = await setUp({ tokenTimeoutMs: 300 });
  const answers: TokenAnswer[] = [
    { body: { access_token: "token-1", token_type: "strange", refresh_token: "refresh-1" } },
    { status: 400, body: "refresh-0 secret-of-client" },
    { status: 400, body: { error: "refresh-0 token-1", error_description: "secret-of-client" } },
    { body: '{"access_token": "token-1"' },
    "reset",
    tokenBody(2, { refresh_token: "refresh-2" }),
    { status: 401, body: { error: "invalid_client", error_description: "secret-of-client" } },
  ];
  const seen: unknown[] = [];
  for (const answer of answers) {
    test.endpoint.always(answer);
    const outcome = await test.manager.get(never).catch((error: unknown) => error);
    if (outcome instanceof Error) seen.push(outcome);
    else test.manager.invalidate(await test.manager.get(never));
    seen.push(test.manager.state);
    test.clock.nowMs += 3_600_000;
  }
  assert.equal(test.manager.state.state, "needs_authorization");
  const text = test.logged() + Deno.inspect(seen, { depth: 20, strAbbreviateSize: 100_000 });
  for (const secret of secrets) assert.doesNotMatch(text, new RegExp(secret));
});

Deno.test("TokenService spreads the refreshes of 1,000 accounts that expire together, and none is late", async () => {
  const timers: { run: () => void; atMs: number }[] = [];
  const clock = { nowMs: Date.now() };
  await using test = await setUp({
    tokenTimeoutMs: 10_000,
    now: () => clock.nowMs,
    schedule: (run, delayMs) => {
      timers.push({ run, atMs: clock.nowMs + delayMs });
      return () => {};
    },
  });
  const managers = Array.from(
    { length: 1000 },
    (_, index) => test.service.for({ ...test.account, email: `sender${index}@example.com` }),
  );
  const tokens = await Promise.all(managers.map((manager) => manager.get(never)));
  assert.ok(test.endpoint.highestOpenRequests <= 50, `${test.endpoint.highestOpenRequests} at once`);
  const expiresAtMs = Math.min(...tokens.map((token) => token.expiresAtMs));
  const perSecond = Map.groupBy(timers, ({ atMs }) => Math.floor(atMs / 1000));
  assert.ok(perSecond.size > 200, "the refreshes must be spread over minutes");
  assert.ok(Math.max(...[...perSecond.values()].map(({ length }) => length)) <= 20);
  for (const { run, atMs } of timers.splice(0).sort((one, other) => one.atMs - other.atMs)) {
    clock.nowMs = atMs;
    run();
  }
  assert.ok(clock.nowMs < expiresAtMs - 60_000);
  await test.endpoint.waitForRequests(2000);
  clock.nowMs = expiresAtMs;
  const renewed = await Promise.all(managers.map((manager) => manager.get(never)));
  assert.equal(new Set([...tokens, ...renewed].map(({ value }) => value)).size, 2000);
  assert.equal(test.endpoint.requestCount, 2000);
});

Deno.test("TokenService waits at its end for an answer under way, and keeps the rotated refresh token in it", async () => {
  await using test = await setUp();
  const answer = Promise.withResolvers<void>();
  test.endpoint.once({ until: answer.promise, then: tokenBody(1, { refresh_token: "refresh-1" }) });
  const waiting = test.manager.get(never);
  await test.endpoint.waitForRequests(1);
  const closing = test.service.close();
  answer.resolve();
  await Promise.all([waiting, closing]);
  assert.deepEqual(test.persisted.map(([, next]) => next), ["refresh-1"]);
});

Deno.test("TokenService waits at its end for the answer to a probe, and what is kept of it", async () => {
  await using test = await setUp();
  const answer = Promise.withResolvers<void>();
  test.endpoint.once({ until: answer.promise, then: tokenBody(1, { refresh_token: "refresh-1" }) });
  const kept: string[] = [];
  const keep = (_: Account, refreshToken: string) => Promise.resolve(void kept.push(refreshToken));
  const probing = test.service.probe(() => test.account, { keep, signal: never });
  await test.endpoint.waitForRequests(1);
  const closing = test.service.close();
  answer.resolve();
  await closing;
  assert.deepEqual(kept, ["refresh-1"]);
  await probing;
});

Deno.test("TokenService doesn't wait at its end for a probe of an account that was renamed", async () => {
  await using test = await setUp();
  test.endpoint.always("hang");
  const abort = new AbortController();
  const { account } = test;
  const probe = { keep: () => Promise.resolve(), signal: abort.signal };
  const probing = assert.rejects(test.service.probe(() => account, probe), { name: "AbortError" });
  await test.endpoint.waitForRequests(1);
  test.service.replace([{ ...account, email: "renamed@example.com" }]);
  await test.service.close();
  abort.abort();
  await probing;
});

Deno.test("TokenService asks with a new grant at once, although a request with the old one hangs", async () => {
  await using test = await setUp();
  test.endpoint.once("hang");
  const abort = new AbortController();
  const { account } = test;
  const probe = { keep: () => Promise.resolve(), signal: abort.signal };
  const probing = assert.rejects(test.service.probe(() => account, probe), { name: "AbortError" });
  await test.endpoint.waitForRequests(1);
  test.service.replace([{ ...account, refreshToken: "another" }]);
  assert.ok(await test.manager.get(never));
  abort.abort();
  await probing;
});

Deno.test("TokenService ends although the endpoint hangs", async () => {
  await using test = await setUp();
  test.endpoint.always("hang");
  const waiting = test.manager.get(never);
  await test.endpoint.waitForRequests(1);
  await Promise.all([assert.rejects(waiting, { code: "TOKEN_UNAVAILABLE" }), test.service.close()]);
});

Deno.test("TokenService gives what is under way for a renamed account to its new e-mail", async () => {
  await using test = await setUp();
  const gate = Promise.withResolvers<void>();
  let current = "refresh-0";
  test.endpoint.always(({ form }) => {
    if (form.get("refresh_token") !== current) return { status: 400, body: { error: "invalid_grant" } };
    current = `refresh-${test.endpoint.requestCount}`;
    const answer = tokenBody(test.endpoint.requestCount, { refresh_token: current });
    return test.endpoint.requestCount === 1 ? { until: gate.promise, then: answer } : answer;
  });
  const waiting = test.manager.get(never);
  await test.endpoint.waitForRequests(1);
  const renamed = { ...test.account, email: "renamed@example.com" };
  test.service.replace([renamed]);
  const probing = test.service.probe(() => test.service.find(renamed.email)!.account, {
    keep: () => Promise.resolve(),
    signal: never,
  });
  gate.resolve();
  await Promise.all([waiting, probing]);
  assert.deepEqual(
    test.endpoint.requests.map(({ form }) => form.get("refresh_token")),
    ["refresh-0", "refresh-1", "refresh-2"],
  );
  assert.equal(test.service.find(test.account.email), undefined);
  assert.deepEqual(test.persisted[0]?.[0].email, renamed.email);
});

Deno.test("TokenService tells a renamed account's manager what a probe under its old e-mail brings", async () => {
  await using test = await setUp();
  const gate = Promise.withResolvers<void>();
  test.endpoint.once({ until: gate.promise, then: tokenBody(1, { refresh_token: "refresh-1" }) });
  const probing = test.service.probe(() => test.account, { keep: () => Promise.resolve(), signal: never });
  await test.endpoint.waitForRequests(1);
  test.service.replace([{ ...test.account, email: "renamed@example.com" }]);
  gate.resolve();
  await probing;
  assert.equal(test.service.find("renamed@example.com")?.account.refreshToken, "refresh-1");
});

Deno.test("TokenService closes the managers of removed accounts", async () => {
  await using test = await setUp();
  await test.manager.get(never);
  test.service.replace([]);
  assert.equal(test.service.find(test.account.email), undefined);
  await assert.rejects(test.manager.get(never), /account was removed/);
});

Deno.test("TokenService leaves an endpoint alone that keeps failing, for all its accounts", async () => {
  await using test = await setUp();
  const provider = testProvider({
    tokenUrl: test.endpoint.url,
    circuitBreaker: { enabled: true, failureThreshold: 3, recoveryTimeoutMs: 60_000 },
    retry: { ...testProvider().retry, maxAttempts: 1 },
  });
  test.endpoint.always({ status: 503, body: "busy" });
  const managers = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"].map((email) =>
    test.service.for(testAccount({ email, provider }))
  );
  for (const manager of managers.slice(0, 3)) await assert.rejects(manager.get(never), /503/);
  await assert.rejects(managers[3]!.get(never), /left alone/);
  assert.equal(test.endpoint.requestCount, 3);
});
