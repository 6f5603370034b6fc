/** From SIGTERM to the end of the process, idle and under load. */

import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { proxySide, RunningLoad } from "../load_side.ts";
import { type ProxyOptions, ProxyProcess, type StopOutcome } from "../proxy_process.ts";
import type { Row } from "../row.ts";
import type { SinkBehaviour } from "../sink_ledger.ts";
import { SinkProcess } from "../sink_process.ts";
import { measureStopUnderLoad } from "./stop_under_load.ts";

interface Case {
  readonly what: string;
  readonly atMostMs: number;
  /** Upstream connections, each of its own TLS handshake and sign-in, that are pooled when the signal comes. */
  readonly pooled: number;
  readonly accounts?: number;
  readonly sink?: SinkBehaviour;
  readonly proxy?: Partial<ProxyOptions>;
}

const CASES: readonly Case[] = [
  { what: "SIGTERM to exit, admin only", atMostMs: 30, pooled: 0, proxy: { adminOnly: true } },
  { what: "SIGTERM to exit, 25 pooled", atMostMs: 60, pooled: 25 },
  { what: "SIGTERM to exit, 1,000 pooled", atMostMs: 500, pooled: 1000, accounts: 40 },
  {
    what: "SIGTERM to exit, 25 pooled, QUIT never answered",
    atMostMs: 600,
    pooled: 25,
    sink: { ignoresQuit: true },
  },
];

/** The shutdown row. */
export const shutdownRow: Row = {
  name: "shutdown",
  summary: "SIGTERM to exit: admin only, 25 and 1,000 pooled connections, no answer to QUIT, full load",
  async measure(bench) {
    const figures: Figure[] = [];
    const firstLineMs: number[] = [];
    for (const one of CASES) figures.push(await measureCase(bench, one, firstLineMs));
    figures.push(...await measureStopUnderLoad(bench, firstLineMs));
    const what = "signal to first log line, all of the stops above";
    const common = { row: "shutdown", notes: [], failed: false };
    return [...figures, { ...common, what, unit: "ms", proxy: firstLineMs, target: { atMost: 10 } }];
  },
};

async function measureCase(bench: Bench, one: Case, firstLineMs: number[]): Promise<Figure> {
  const exitMs: number[] = [];
  const notes: string[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    const { outcome, pooled } = await stopOnce(bench, one);
    exitMs.push(outcome.exitMs);
    if (outcome.firstLineMs !== undefined) firstLineMs.push(outcome.firstLineMs);
    if (outcome.exitCode !== 0) notes.push(`exit code ${outcome.exitCode}`);
    if (pooled !== one.pooled) notes.push(`${pooled} pooled instead of ${one.pooled}`);
    bench.report(`shutdown: ${one.what}: round ${round}: ${outcome.exitMs.toFixed(1)} ms`);
  }
  return {
    row: "shutdown",
    what: one.what,
    unit: "ms",
    proxy: exitMs,
    target: { atMost: one.atMostMs },
    notes: [...new Set(notes)],
    failed: notes.length > 0,
  };
}

interface Stop {
  readonly outcome: StopOutcome;
  /** Connections that the sink had open when the signal was sent. */
  readonly pooled: number;
}

async function stopOnce(
  bench: Bench,
  { pooled, accounts = 1, sink: behaviour, proxy: extra }: Case,
): Promise<Stop> {
  await using sink = await SinkProcess.start(bench, { ...behaviour, holdFinalRepliesUntil: pooled });
  const options: ProxyOptions = { sink: sink.endpoints, accounts, logsTo: "stderr", ...extra };
  await using proxy = await ProxyProcess.start(bench, options);
  // As many messages at the same time as there are to be connections: the sink answers none before all are there.
  if (pooled > 0) await fillPool(bench, proxy, { sessions: pooled, accounts });
  const { openConnections } = await sink.counts();
  return { outcome: await proxy.stop(), pooled: openConnections };
}

interface PoolFilling {
  readonly sessions: number;
  readonly accounts: number;
}

async function fillPool(
  bench: Bench,
  proxy: ProxyProcess,
  { sessions, accounts }: PoolFilling,
): Promise<void> {
  await using load = await RunningLoad.start(bench, proxySide(proxy), {
    sessions,
    accounts,
    messages: sessions,
  });
  await load.result();
}
