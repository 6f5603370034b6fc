/**
 * The chaos run: the real daemon between awkward clients and a failing provider, with an operator who reloads, changes,
 * stops and kills it. In the end the ledgers of all sides are compared.
 */

import { join } from "node:path";
import { hashPassword } from "../../src/accounts/password_hash.ts";
import { createTestCertificates, type TestCertificates } from "../support/certificates.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { ScriptedTokenEndpoint } from "../support/token_endpoint.ts";
import { ChaosClient } from "./chaos_client.ts";
import { ChaosLedger, type Verdict } from "./chaos_ledger.ts";
import { Operator } from "./operator.ts";
import { installFaults, Stall } from "./provider_faults.ts";
import { Random } from "./random.ts";
import { RestartableDaemon } from "./restartable_daemon.ts";
import { type DaemonRest, settle } from "./settle.ts";
import { TokenFaults } from "./token_faults.ts";

/** What a run is made of. */
export interface ChaosOptions {
  readonly seed: number;
  /** How long mail flows, in milliseconds; starts and the end come on top. */
  readonly durationMs: number;
}

/** What came of it. */
export interface ChaosReport extends Verdict {
  readonly seed: number;
  /** What must not happen, each a sentence; empty: the run has passed. */
  readonly violations: readonly string[];
  readonly rest: DaemonRest;
  readonly deeds: ReadonlyMap<string, number>;
  readonly endings: ReadonlyMap<string, number>;
  readonly processes: number;
}

const password = "correct horse";
const EMAILS = ["one@example.com", "two@example.com", "three@example.com", "four@example.com"] as const;
const CLIENTS_PER_ACCOUNT = 2;

/** Runs one seed. */
export async function runChaos({ seed, durationMs }: ChaosOptions): Promise<ChaosReport> {
  const random = new Random(seed);
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-chaos-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const certificates = await createTestCertificates();
  const tokenEndpoint = stack.use(await ScriptedTokenEndpoint.start());
  const stall = new Stall();
  stack.defer(() => stall.end());
  const tokens = new TokenFaults(tokenEndpoint, {
    random: random.fork(),
    stall,
    rotates: seed % 2 === 0,
    refreshTokenOnDisk: (email) => refreshTokenOnDisk(join(directory, "accounts.json"), email),
  });
  const accepts = (_user: string, accessToken: string) => (tokens.check(accessToken), true);
  const upstreams = [
    stack.use(await ScriptedUpstream.start({ certificates, accepts, security: "starttls" })),
    stack.use(await ScriptedUpstream.start({ certificates, accepts, security: "tls" })),
  ] as const;
  await writeFiles(directory, { certificates, upstreams, tokenEndpoint });
  const daemon = stack.use(new RestartableDaemon(directory));
  const weather = { probability: 0.01, stall, random: random.fork() };
  for (const upstream of upstreams) installFaults(upstream, weather);
  const ledger = new ChaosLedger();
  const operator = new Operator({
    daemon,
    upstreams,
    weather,
    tokens,
    emails: EMAILS,
    random: random.fork(),
    editsFiles: seed % 2 === 1,
  });
  const stop = new AbortController();
  const clients = createClients({ random, daemon, ledger, caCertificate: certificates.caCertificate }, stop);
  await daemon.start();
  const running = Promise.all([operator.run(stop.signal), ...clients.map((client) => client.run())]);
  await Promise.race([running, new Promise((resolve) => setTimeout(resolve, durationMs))]);
  stop.abort();
  await running;
  await operator.heal();
  const rest = await settle(daemon, { clients, upstreams });
  await daemon.end("SIGTERM");
  const transactions = upstreams.flatMap(({ messages }) => messages);
  const verdict = ledger.judge(transactions, daemon.ended);
  return {
    seed,
    ...verdict,
    rest,
    deeds: operator.deeds,
    endings: addUp(clients.map(({ endings }) => endings)),
    processes: daemon.ended.length,
    violations: [
      ...verdict.lost.map((what) => `lost: ${what}`),
      ...verdict.altered.map((what) => `altered: ${what}`),
      ...verdict.unexplained.map((what) => `delivered and not acknowledged, without a reason: ${what}`),
      ...tokens.usedTooEarly.map((what) => `rotated token not on disk: ${what}`),
      ...rest.leaks,
      ...daemon.complaints,
    ],
  };
}

function createClients(
  { random, ...shared }: {
    random: Random;
    daemon: RestartableDaemon;
    ledger: ChaosLedger;
    caCertificate: string;
  },
  stop: AbortController,
): ChaosClient[] {
  return EMAILS.flatMap((email) =>
    Array.from({ length: CLIENTS_PER_ACCOUNT }, (_, index) => {
      const name = `${email.split("@")[0]}-${index}`;
      return new ChaosClient({ ...shared, name, email, password, random: random.fork() }, stop.signal);
    })
  );
}

interface Surroundings {
  readonly certificates: TestCertificates;
  readonly upstreams: readonly [ScriptedUpstream, ScriptedUpstream];
  readonly tokenEndpoint: ScriptedTokenEndpoint;
}

async function writeFiles(directory: string, surroundings: Surroundings): Promise<void> {
  const { certificates, upstreams, tokenEndpoint } = surroundings;
  const path = (name: string) => join(directory, name);
  await Deno.writeTextFile(path("ca.pem"), certificates.caCertificate);
  await Deno.writeTextFile(path("certificate.pem"), certificates.leaf.certificate);
  await Deno.writeTextFile(path("key.pem"), certificates.leaf.privateKey, { mode: 0o600 });
  const providers = Object.fromEntries((["alpha", "beta"] as const).map((name, index) => [name, {
    smtp_endpoint: `127.0.0.1:${upstreams[index]!.endpoint.port}`,
    smtp_security: upstreams[index]!.options.security,
    oauth_token_url: tokenEndpoint.url,
    ca_file: path("ca.pem"),
    limits: { connections: 2 },
    connection_pool: {
      max_messages_per_connection: 7,
      connection_idle_timeout_seconds: 1,
      wait_timeout_seconds: 2,
    },
    retry: { max_delay_seconds: 0.2 },
    circuit_breaker: { recovery_timeout_seconds: 0.2 },
  }]));
  const tls = { certificate_file: path("certificate.pem"), private_key_file: path("key.pem") };
  const place = { host: "127.0.0.1", port: 0 };
  const listeners = [place, { ...place, ...tls, security: "starttls" }, {
    ...place,
    ...tls,
    security: "tls",
  }];
  const global = { oauth2_timeout: 2, smtp: { command_timeout_seconds: 5 } };
  const config = { global, listeners, providers };
  await Deno.writeTextFile(path("config.json"), JSON.stringify(config));
  const password_hash = await hashPassword(password);
  const accounts = EMAILS.map((email, index) => ({
    email,
    provider: index % 2 === 0 ? "alpha" : "beta",
    client_id: email,
    refresh_token: "first",
    password_hash,
  }));
  await Deno.writeTextFile(path("accounts.json"), JSON.stringify(accounts), { mode: 0o600 });
}

function refreshTokenOnDisk(file: string, email: string): string | undefined {
  const records = JSON.parse(Deno.readTextFileSync(file)) as { email: string; refresh_token?: string }[];
  return records.find((record) => record.email === email)?.refresh_token;
}

function addUp(maps: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [key, count] of maps.flatMap((map) => [...map])) sums.set(key, (sums.get(key) ?? 0) + count);
  return sums;
}
