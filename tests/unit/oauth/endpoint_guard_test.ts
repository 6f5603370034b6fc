import assert from "node:assert/strict";
import { EndpointGuard } from "../../../src/oauth/endpoint_guard.ts";
import { TokenError } from "../../../src/oauth/token_error.ts";
import { testProvider } from "./test_account.ts";

const { retry, circuitBreaker } = testProvider();
const ONCE = { ...retry, maxAttempts: 1 };

/** The wall clock, by which the circuit's rest is measured. */
class FakeTime implements Disposable {
  readonly #now = Date.now;
  #passedMs = 0;
  constructor() {
    Date.now = () => this.#now.call(Date) + this.#passedMs;
  }
  pass(ms: number): void {
    this.#passedMs += ms;
  }
  [Symbol.dispose](): void {
    Date.now = this.#now;
  }
}

function guard(options: { failureThreshold?: number; maxConcurrentRequests?: number } = {}): EndpointGuard {
  return new EndpointGuard({
    circuitBreaker: { ...circuitBreaker, failureThreshold: options.failureThreshold ?? 100 },
    maxConcurrentRequests: options.maxConcurrentRequests ?? 10,
  });
}

function request(options: { account?: string; timeoutMs?: number; signal?: AbortSignal } = {}) {
  return {
    account: options.account ?? "a@example.com",
    retry,
    timeoutMs: options.timeoutMs ?? 5000,
    signal: options.signal ?? new AbortController().signal,
  };
}

function failing(
  code: TokenError["code"],
  details: { retryAfterMs?: number; throttled?: boolean; status?: number } = {},
) {
  let calls = 0;
  const run = (): Promise<never> => {
    calls++;
    return Promise.reject(new TokenError(code, "it fails", { remedy: "mend it", ...details }));
  };
  return { run, calls: () => calls };
}

Deno.test("EndpointGuard repeats a passing failure until its tries are used up", async () => {
  const { run, calls } = failing("TOKEN_UNAVAILABLE");
  await assert.rejects(guard().run(run, request()), TokenError);
  assert.equal(calls(), retry.maxAttempts);
});

Deno.test("EndpointGuard gives the result of a later try", async () => {
  let calls = 0;
  const result = await guard().run(() => {
    if (++calls < 3) throw new TokenError("TOKEN_UNAVAILABLE", "not yet", { remedy: "" });
    return Promise.resolve("token");
  }, request());
  assert.equal(result, "token");
});

Deno.test("EndpointGuard does not repeat a lasting failure", async () => {
  const { run, calls } = failing("NEEDS_AUTHORIZATION");
  await assert.rejects(guard().run(run, request()), { code: "NEEDS_AUTHORIZATION" });
  assert.equal(calls(), 1);
});

Deno.test("EndpointGuard does not wait for a Retry-After beyond its budget", async () => {
  const { run, calls } = failing("TOKEN_UNAVAILABLE", { retryAfterMs: 60_000, throttled: true });
  await assert.rejects(guard().run(run, request()), { retryAfterMs: 60_000 });
  assert.equal(calls(), 1);
});

Deno.test("EndpointGuard leaves an endpoint alone that fails several accounts in a row", async () => {
  const { run, calls } = failing("TOKEN_UNAVAILABLE");
  const subject = guard({ failureThreshold: 2 });
  await assert.rejects(subject.run(run, request({ account: "a@example.com" })), /it fails/);
  const before = calls();
  await assert.rejects(subject.run(run, request({ account: "b@example.com" })), TokenError);
  assert.equal(calls(), before + 1);
  await assert.rejects(subject.run(run, request({ account: "c@example.com" })), /left alone/);
  assert.equal(calls(), before + 1);
});

Deno.test("EndpointGuard leaves an endpoint alone again that fails its first try after a while", async () => {
  const { run, calls } = failing("TOKEN_UNAVAILABLE");
  using time = new FakeTime();
  const subject = guard({ failureThreshold: 2 });
  const ask = (account: string) => assert.rejects(subject.run(run, { ...request({ account }), retry: ONCE }));
  // Under way when the circuit opens, and no news when it is tried again.
  const opened = Promise.withResolvers<void>();
  const late = subject.run(() => opened.promise.then(run), { ...request({ account: "c" }), retry: ONCE });
  for (const account of ["a", "b"]) await ask(account);
  opened.resolve();
  await assert.rejects(late, /it fails/);
  const before = calls();
  time.pass(circuitBreaker.recoveryTimeoutMs);
  await ask("c");
  for (const account of ["e", "f", "g"]) await ask(account);
  assert.equal(calls(), before + 1);
});

Deno.test("EndpointGuard serves all others although one account's requests fail, and counts anew after a success", async () => {
  const { run } = failing("TOKEN_UNAVAILABLE");
  const subject = guard({ failureThreshold: 2 });
  for (let time = 0; time < 5; time++) await assert.rejects(subject.run(run, request()), /it fails/);
  const others = request({ account: "b@example.com" });
  assert.equal(await subject.run(() => Promise.resolve("token"), others), "token");
  await assert.rejects(subject.run(run, request()), /it fails/);
  assert.equal(await subject.run(() => Promise.resolve("token"), others), "token");
});

Deno.test("EndpointGuard leaves its circuit closed for throttling and lost grants", async () => {
  const subject = guard({ failureThreshold: 1 });
  const throttled = failing("TOKEN_UNAVAILABLE", { retryAfterMs: 60_000, throttled: true });
  const lost = failing("NEEDS_AUTHORIZATION");
  for (const { run } of [throttled, lost]) await assert.rejects(subject.run(run, request()), /it fails/);
  assert.equal(await subject.run(() => Promise.resolve("token"), request()), "token");
});

Deno.test("EndpointGuard leaves its circuit closed for answers that may be meant for one account", async () => {
  const subject = guard({ failureThreshold: 1 });
  for (const status of [200, 400, 401, 404]) {
    await assert.rejects(subject.run(failing("TOKEN_UNAVAILABLE", { status }).run, request()), /it fails/);
  }
  assert.equal(await subject.run(() => Promise.resolve("token"), request()), "token");
});

Deno.test("EndpointGuard ends each try of a hanging request and then the whole", async () => {
  const signals: AbortSignal[] = [];
  const hang = (signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<never>((_, reject) => {
      signal.addEventListener(
        "abort",
        () => reject(new TokenError("TOKEN_UNAVAILABLE", "no answer", { remedy: "" })),
      );
    });
  };
  await assert.rejects(guard().run(hang, request({ timeoutMs: 60 })), /no answer|not answer in time/);
  assert.ok(signals.length > 1, "the first try must not use the whole budget");
  assert.ok(signals.every(({ aborted }) => aborted));
});

Deno.test("EndpointGuard rejects with the signal's reason while a request waits in the queue", async () => {
  const subject = guard({ maxConcurrentRequests: 1 });
  const first = Promise.withResolvers<string>();
  const running = subject.run(() => first.promise, request());
  const controller = new AbortController();
  const queued = subject.run(() => Promise.resolve("never"), request({ signal: controller.signal }));
  const reason = new Error("stopped");
  controller.abort(reason);
  await assert.rejects(queued, reason);
  first.resolve("done");
  assert.equal(await running, "done");
});

Deno.test("EndpointGuard has no more requests under way than its cap", async () => {
  const subject = guard({ maxConcurrentRequests: 4 });
  let open = 0;
  let highest = 0;
  await Promise.all(Array.from({ length: 40 }, () =>
    subject.run(async () => {
      highest = Math.max(highest, ++open);
      await Promise.resolve();
      open--;
    }, request())));
  assert.equal(highest, 4);
});
