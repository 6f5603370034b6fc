/** Dials to real sockets: TLS both ways, each phase's failures and deadlines, cancellation at any point. */

import assert from "node:assert/strict";
import { Deadlines } from "../../src/transport/deadlines.ts";
import { dial, type DialTarget, type PhaseTimeouts } from "../../src/upstream/dial.ts";
import { DialError, type DialPhase } from "../../src/upstream/upstream_error.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import type { ScriptedUpstreamOptions } from "../support/upstream_options.ts";
import type { Phase } from "../support/upstream_script.ts";

const never = new AbortController().signal;

/** An upstream, and what it takes to dial it. */
async function startTarget(options: Partial<ScriptedUpstreamOptions> = {}) {
  const upstream = await ScriptedUpstream.start(options);
  const deadlines = new Deadlines({ tickMs: 5 });
  const target: DialTarget = {
    endpoint: upstream.endpoint,
    security: upstream.options.security,
    caCerts: [upstream.caCertificate],
  };
  const phases: DialPhase[] = [];
  const hooks: { onPhase: (phase: DialPhase) => void } = { onPhase: (phase) => phases.push(phase) };
  const connect = (
    { signal = never, phaseTimeoutsMs, ...changed }: Partial<DialTarget> & {
      signal?: AbortSignal;
      phaseTimeoutsMs?: PhaseTimeouts;
    } = {},
  ) =>
    dial({ ...target, ...changed }, {
      signIn: { user: "sender@example.com", accessToken: "token-1" },
      signal,
      deadlines,
      now: Date.now,
      clientName: "proxy.test",
      onPhase: (phase) => hooks.onPhase(phase),
      ...(phaseTimeoutsMs && { phaseTimeoutsMs }),
    });
  return {
    upstream,
    phases,
    connect,
    /** Stands in for what fills `phases`. */
    set onPhase(onPhase: (phase: DialPhase) => void) {
      hooks.onPhase = onPhase;
    },
    async [Symbol.asyncDispose]() {
      deadlines[Symbol.dispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

/** Fails unless `dialing` rejects with a DialError of this phase, and the upstream sees the connection end. */
async function rejectsAt(phase: DialPhase, message: RegExp, { dialing, upstream, isDeaf = false }: {
  dialing: Promise<unknown>;
  upstream: ScriptedUpstream;
  /** The upstream reads nothing any more, and so doesn't see an end behind what it hasn't read. */
  isDeaf?: boolean;
}): Promise<DialError> {
  let failure: unknown;
  await assert.rejects(dialing, (error) => {
    failure = error;
    return true;
  });
  assert.ok(failure instanceof DialError, String(failure));
  assert.equal(failure.phase, phase);
  assert.match(failure.message, message);
  if (!isDeaf) await upstream.waitFor(() => upstream.openConnections === 0, "the end of the connection");
  return failure;
}

const PATHS: Readonly<Record<ScriptedUpstreamOptions["security"], readonly DialPhase[]>> = {
  none: ["connect", "greeting", "ehlo", "auth"],
  tls: ["connect", "tls", "greeting", "ehlo", "auth"],
  starttls: ["connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "auth"],
};
for (const [security, path] of Object.entries(PATHS) as [keyof typeof PATHS, readonly DialPhase[]][]) {
  Deno.test(`dial passes ${path.join(", ")} with security ${security}`, async () => {
    await using target = await startTarget({ security });
    using connection = await target.connect();
    assert.deepEqual(target.phases, path);
    const [record] = target.upstream.connections;
    assert.deepEqual([record?.mailbox, record?.accessToken], ["sender@example.com", "token-1"]);
    assert.deepEqual([connection.isUsable, connection.transactions], [true, 0]);
    assert.deepEqual(connection.extensions.mechanisms, ["XOAUTH2"]);
  });
}

const certificates = [
  ["untrusted", /UnknownIssuer.*set ca_file/],
  ["wrongHost", /another host than 127\.0\.0\.1/],
  ["expired", /has expired; check the clock/],
] as const;
for (const security of ["starttls", "tls"] as const) {
  for (const [certificate, message] of certificates) {
    Deno.test(`dial refuses a certificate that is ${certificate}, with security ${security}`, async () => {
      await using target = await startTarget({ security });
      target.upstream.certificate = target.upstream.certificates[certificate];
      await rejectsAt("tls", message, { dialing: target.connect(), upstream: target.upstream });
      assert.equal(target.upstream.connections[0]?.accessToken, undefined);
    });
  }
}

Deno.test("dial says so when the port does not speak TLS", async () => {
  await using target = await startTarget({ security: "starttls" });
  const dialing = target.connect({ security: "tls" });
  await rejectsAt("tls", /smtp_security to "starttls"/, { dialing, upstream: target.upstream });
});

Deno.test("dial says so when the port speaks nothing but TLS", async () => {
  await using target = await startTarget({ security: "tls" });
  const dialing = target.connect({ security: "starttls", phaseTimeoutsMs: timeouts({ greeting: 30 }) });
  await rejectsAt("greeting", /smtp_security to "tls"/, { dialing, upstream: target.upstream });
});

Deno.test("dial sends no token where STARTTLS is refused", async () => {
  await using target = await startTarget({ security: "none" });
  const dialing = target.connect({ security: "starttls" });
  target.upstream.once("STARTTLS", { reply: "502 5.5.1 Not implemented" });
  const error = await rejectsAt("starttls", /502 5\.5\.1/, { dialing, upstream: target.upstream });
  assert.equal(error.reply?.code, 502);
  assert.equal(target.upstream.connections[0]?.commandLines.some((line) => line.startsWith("AUTH")), false);
});

Deno.test("dial refuses octets that were injected behind the reply to STARTTLS", async () => {
  await using target = await startTarget();
  target.upstream.once("STARTTLS", { reply: ["220 2.0.0 Ready", "250 injected"] });
  const dialing = target.connect();
  await rejectsAt("starttls", /octets behind its STARTTLS reply/, { dialing, upstream: target.upstream });
});

Deno.test("dial names the end point that refuses connections", async () => {
  await using target = await startTarget();
  target.upstream.refuseConnections();
  const { port } = target.upstream.endpoint;
  const message = new RegExp(`127\\.0\\.0\\.1:${port}: .*refused`);
  await rejectsAt("connect", message, { dialing: target.connect(), upstream: target.upstream });
});

const SILENCE: readonly [at: Phase, phase: DialPhase][] = [
  ["connect", "greeting"],
  ["greeting", "greeting"],
  ["EHLO", "ehlo"],
  ["STARTTLS", "starttls"],
  ["tls", "tls"],
  ["AUTH", "auth"],
  ["authResponse", "auth"],
];
for (const [at, phase] of SILENCE) {
  Deno.test(`dial gives up ${phase} when the provider falls silent at ${at}`, async () => {
    await using target = await startTarget();
    target.upstream.once(at, "hang");
    const dialing = target.connect({ phaseTimeoutsMs: timeouts({ [phase]: 30 }) });
    const isDeaf = at === "tls";
    await rejectsAt(phase, /no answer within 0\.03 s/, { dialing, upstream: target.upstream, isDeaf });
  });

  Deno.test(`dial ends with its signal when the provider falls silent at ${at}`, async () => {
    await using target = await startTarget();
    target.upstream.once(at, "hang");
    const abort = new AbortController();
    const dialing = assert.rejects(target.connect({ signal: abort.signal }), { name: "AbortError" });
    await target.upstream.waitFor(() => target.upstream.passages(at) > 0, at);
    abort.abort();
    await dialing;
    await target.upstream.waitFor(() => target.upstream.openConnections === 0, "the end of the connection");
  });
}

Deno.test("dial ends with its signal at whatever step it is, and leaves nothing open", async () => {
  await using target = await startTarget();
  // Each turn of the event loop is a step further into the dial.
  for (let turns = 0; turns < 40; turns++) {
    const abort = new AbortController();
    const dialing = target.connect({ signal: abort.signal });
    const outcome = dialing.then(
      (connection) => connection.close(),
      (error) => assert.equal(error.name, "AbortError"),
    );
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    abort.abort();
    await outcome;
    await target.upstream.waitFor(() => target.upstream.openConnections === 0, "the end of the connection");
  }
  using connection = await target.connect();
  assert.equal(connection.isUsable, true);
});

for (const ticks of [0, 1, 2, 3, 4]) {
  Deno.test(`dial ends with its signal in the moment of the upgrade to TLS (${ticks})`, async () => {
    await using target = await startTarget();
    const abort = new AbortController();
    target.onPhase = async (phase) => {
      if (phase !== "starttls") return;
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      abort.abort();
    };
    target.upstream.always("tls", "hang");
    await assert.rejects(target.connect({ signal: abort.signal }), { name: "AbortError" });
  });
}

Deno.test("dial does not begin under a signal that has aborted", async () => {
  await using target = await startTarget();
  await assert.rejects(target.connect({ signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(target.upstream.connections.length, 0);
});

const loopbacks = await Deno.resolveDns("localhost", "AAAA").catch(() => []);
Deno.test({
  name: "dial falls back to the address family that listens",
  ignore: loopbacks.length === 0, // "localhost" has one address here
  async fn() {
    await using target = await startTarget();
    const { port } = target.upstream.endpoint;
    using connection = await target.connect({ endpoint: { hostname: "localhost", port } });
    assert.equal(connection.remoteAddress, "127.0.0.1");
  },
});

function timeouts(changed: Partial<Record<DialPhase, number>>): PhaseTimeouts {
  const long = 10_000;
  return { connect: long, tls: long, greeting: long, ehlo: long, starttls: long, auth: long, ...changed };
}
