/** Tokens that are refused, and circuits that open and close. */

import assert from "node:assert/strict";
import type { CircuitBreakerSettings } from "../../src/config/settings.ts";
import { Deadlines } from "../../src/transport/deadlines.ts";
import { Dialer } from "../../src/upstream/dialer.ts";
import type { Mailbox } from "../../src/upstream/mailbox.ts";
import { FixedTokens } from "../support/fixed_tokens.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import type { ScriptedUpstreamOptions } from "../support/upstream_options.ts";
import { recordingLog } from "../unit/lifecycle/recording_log.ts";
import { testProvider } from "../unit/oauth/test_account.ts";

const never = new AbortController().signal;

async function start(
  options: Partial<ScriptedUpstreamOptions> & { circuitBreaker?: Partial<CircuitBreakerSettings> } = {},
) {
  const { circuitBreaker, ...rest } = options;
  const upstream = await ScriptedUpstream.start({ security: "none", ...rest });
  const deadlines = new Deadlines({ tickMs: 5 });
  const log = recordingLog();
  const outcomes: string[] = [];
  const dialer = new Dialer({
    deadlines,
    now: Date.now,
    clientName: "proxy.test",
    onOutcome: (outcome) => outcomes.push(outcome),
    log: log.log,
  });
  const tokens = new FixedTokens();
  const mailbox: Mailbox = {
    email: "sender@example.com",
    saslUser: "shared@example.com",
    provider: testProvider({
      smtpEndpoint: upstream.endpoint,
      smtpSecurity: upstream.options.security,
      circuitBreaker: { enabled: true, failureThreshold: 2, recoveryTimeoutMs: 60_000, ...circuitBreaker },
    }),
    caCerts: [],
    tokens,
  };
  return {
    upstream,
    dialer,
    log,
    outcomes,
    tokens,
    mailbox,
    dial: (signal = never) => dialer.dial(mailbox, signal),
    /** Has the host fail until its circuit opens. */
    async breakCircuit() {
      upstream.refuseConnections();
      for (const _ of [1, 2]) await assert.rejects(dialer.dial(mailbox, never), { code: "DIAL" });
      await assert.rejects(dialer.dial(mailbox, never), { code: "CIRCUIT_OPEN" });
    },
    async [Symbol.asyncDispose]() {
      deadlines[Symbol.dispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

/** Moves the wall clock, which the circuit breaker's library reads. */
function advanceClock(ms: number): Disposable {
  const { now } = Date;
  Date.now = () => now.call(Date) + ms;
  return { [Symbol.dispose]: () => void (Date.now = now) };
}

Deno.test("Dialer drops a cached token that is refused, and tries once more with another", async () => {
  await using fixture = await start({ accepts: (_, token) => token === "token-2" });
  using connection = await fixture.dial();
  assert.equal(connection.isUsable, true);
  assert.deepEqual(fixture.tokens.invalidated, ["token-1"]);
  const signIns = fixture.upstream.connections.map(({ accessToken, mailbox }) => [accessToken, mailbox]);
  assert.deepEqual(signIns, [["token-1", undefined], ["token-2", "shared@example.com"]]);
  assert.deepEqual(fixture.outcomes, ["auth", "connected"]);
  const [line] = fixture.log.messages();
  assert.match(line!, /sender@example\.com was refused.*535 5\.7\.8.*challenge: status 400/);
  assert.ok(!line!.includes("token-1"));
});

Deno.test("Dialer does not try a third time when the fresh token is refused, too", async () => {
  await using fixture = await start({ accepts: () => false });
  await assert.rejects(fixture.dial(), { code: "DIAL", phase: "auth", challengeStatus: "400" });
  assert.deepEqual([fixture.upstream.connections.length, fixture.tokens.invalidated], [2, ["token-1"]]);
});

Deno.test("Dialer fetches no other token when it is not the token that is refused", async () => {
  await using fixture = await start();
  fixture.upstream.always("authResponse", {
    reply: "535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox",
  });
  await assert.rejects(fixture.dial(), { code: "DIAL" });
  fixture.upstream.script.clear();
  fixture.upstream.always("authResponse", { reply: "454 4.7.0 Temporary authentication failure" });
  await assert.rejects(fixture.dial(), { code: "DIAL" });
  assert.deepEqual(fixture.tokens.invalidated, []);
});

Deno.test("Dialer remembers what an end point offers", async () => {
  await using fixture = await start({ extensions: ["PIPELINING", "SMTPUTF8"] });
  assert.equal(fixture.dialer.extensionsOf(fixture.mailbox.provider), undefined);
  (await fixture.dial()).close();
  assert.deepEqual(fixture.dialer.extensionsOf(fixture.mailbox.provider), ["PIPELINING", "SMTPUTF8", "AUTH"]);
});

Deno.test("Dialer leaves a host alone that keeps failing, and tries it again later", async () => {
  await using fixture = await start();
  const { hostname, port } = fixture.upstream.endpoint;
  await fixture.breakCircuit();
  assert.deepEqual(fixture.dialer.openCircuits, [`${hostname}:${port}`]);
  assert.equal(fixture.outcomes.length, 2);
  using _later = advanceClock(60_000);
  await assert.rejects(fixture.dial(), { code: "DIAL" });
  await assert.rejects(fixture.dial(), { code: "CIRCUIT_OPEN" });
  await fixture.upstream.acceptConnections();
  using _muchLater = advanceClock(60_000);
  (await fixture.dial()).close();
  assert.deepEqual(fixture.dialer.openCircuits, []);
  (await fixture.dial()).close();
  assert.match(fixture.log.messages().join("\n"), /is open: .* next try in 60 s\n.*is open.*\n.*is closed/);
});

Deno.test("Dialer's circuit stays closed while the host answers, even if it refuses", async () => {
  await using fixture = await start();
  fixture.upstream.always("greeting", { reply: "554 5.7.1 Your address is blocked" });
  for (const _ of [1, 2, 3, 4]) await assert.rejects(fixture.dial(), { code: "DIAL", phase: "greeting" });
  fixture.upstream.script.clear();
  fixture.upstream.always("authResponse", "close");
  for (const _ of [1, 2, 3, 4]) await assert.rejects(fixture.dial(), { code: "DIAL", phase: "auth" });
  assert.deepEqual(fixture.dialer.openCircuits, []);
});

Deno.test("Dialer lets one try at a time through a circuit that is half open, and nobody waits for longer than it wants", async () => {
  await using fixture = await start();
  await fixture.breakCircuit();
  await fixture.upstream.acceptConnections();
  const gate = Promise.withResolvers<void>();
  fixture.upstream.once("greeting", { until: gate.promise });
  using _later = advanceClock(60_000);
  const trial = fixture.dial();
  const patient = fixture.dial();
  const abort = new AbortController();
  const impatient = assert.rejects(fixture.dial(abort.signal), { name: "AbortError" });
  await fixture.upstream.waitFor(() => fixture.upstream.connections.length > 0, "the trial");
  abort.abort();
  await impatient;
  assert.equal(fixture.upstream.connections.length, 1);
  gate.resolve();
  for (const connection of await Promise.all([trial, patient])) connection.close();
  assert.equal(fixture.upstream.connections.length, 2);
});

Deno.test("Dialer's circuit opens again when the trial was cancelled", async () => {
  await using fixture = await start();
  await fixture.breakCircuit();
  await fixture.upstream.acceptConnections();
  fixture.upstream.once("greeting", "hang");
  using _later = advanceClock(60_000);
  const abort = new AbortController();
  const trial = assert.rejects(fixture.dial(abort.signal), { name: "AbortError" });
  await fixture.upstream.waitFor(() => fixture.upstream.passages("greeting") > 0, "the trial");
  abort.abort();
  await trial;
  await fixture.upstream.waitFor(() => fixture.upstream.openConnections === 0, "the trial's end");
  await assert.rejects(fixture.dial(), { code: "CIRCUIT_OPEN" });
});

Deno.test("Dialer without a circuit breaker tries each time", async () => {
  await using fixture = await start({ circuitBreaker: { enabled: false } });
  fixture.upstream.refuseConnections();
  for (const _ of [1, 2, 3, 4]) await assert.rejects(fixture.dial(), { code: "DIAL" });
  assert.equal(fixture.outcomes.length, 4);
});

Deno.test("Dialer leaves no connection open that nobody was given, whenever the abort comes", async () => {
  for (let hops = 0; hops < 12; hops++) {
    await using fixture = await start();
    const abort = new AbortController();
    let hop = 0;
    const abortSoon = () => hop++ === hops ? abort.abort(new Error("stop")) : queueMicrotask(abortSoon);
    try {
      const connection = await fixture.dialer.dial(fixture.mailbox, abort.signal, (phase) => {
        if (phase === "auth") abortSoon();
      });
      connection.close();
    } catch (error) {
      assert.equal(error, abort.signal.reason);
    }
    const { upstream } = fixture;
    await upstream.waitFor(
      () => upstream.openConnections === 0,
      `the end of the connection, aborted at ${hops}`,
    );
  }
});
