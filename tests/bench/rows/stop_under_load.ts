/** A stop in the middle of full load, with a provider that takes its time: bounded, and nothing lost. */

import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import type { LoadResult } from "../load.ts";
import { proxySide, RunningLoad } from "../load_side.ts";
import { ProxyProcess, type StopOutcome } from "../proxy_process.ts";
import { SinkProcess } from "../sink_process.ts";

const FINAL_REPLY_DELAY_MS = 1000;
const SHAPE = { sessions: 20, messageOctets: 100 * 1024, warmUpSeconds: 0, keepsNumbers: true };

/**
 * Measures the stop and compares both ends' books.
 *
 * @param firstLineMs Takes the times to the first log line.
 */
export async function measureStopUnderLoad(bench: Bench, firstLineMs: number[]): Promise<Figure[]> {
  const exitMs: number[] = [];
  const missing: number[] = [];
  const notes: string[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    const { outcome, result, accepted } = await stopOnce(bench);
    exitMs.push(outcome.exitMs);
    if (outcome.firstLineMs !== undefined) firstLineMs.push(outcome.firstLineMs);
    if (outcome.exitCode !== 0) notes.push(`exit code ${outcome.exitCode}`);
    const arrived = new Set(accepted);
    missing.push(result.acknowledged.filter((number) => !arrived.has(number)).length);
    const unanswered = arrived.size - result.acknowledged.length;
    if (unanswered > 0) notes.push(`round ${round}: ${unanswered} accepted by the sink, not acknowledged`);
    bench.report(
      `shutdown: under load: round ${round}: ${
        outcome.exitMs.toFixed(1)
      } ms, ${result.acknowledged.length} ` +
        `acknowledged, ${arrived.size} arrived, ends: ${JSON.stringify(result.failures)}`,
    );
  }
  const common = { row: "shutdown", failed: notes.some((note) => note.startsWith("exit code")) };
  const what = `SIGTERM to exit, full load, final reply after ${FINAL_REPLY_DELAY_MS} ms`;
  return [
    { ...common, what, unit: "ms", proxy: exitMs, target: { atMost: FINAL_REPLY_DELAY_MS + 500 }, notes },
    {
      ...common,
      what: "… acknowledged and missing",
      unit: "messages",
      proxy: missing,
      target: { atMost: 0 },
      notes: [],
    },
  ];
}

interface LoadedStop {
  readonly outcome: StopOutcome;
  readonly result: LoadResult;
  /** Numbers in the sink's ledger. */
  readonly accepted: readonly number[];
}

async function stopOnce(bench: Bench): Promise<LoadedStop> {
  await using sink = await SinkProcess.start(bench, {
    finalReplyDelayMs: [FINAL_REPLY_DELAY_MS, FINAL_REPLY_DELAY_MS],
    keepsNumbers: true,
  });
  await using proxy = await ProxyProcess.start(bench, { sink: sink.endpoints, logsTo: "stderr" });
  await using load = await RunningLoad.start(bench, proxySide(proxy), { ...SHAPE, seconds: 60 });
  await sink.accepted(SHAPE.sessions * 2);
  const outcome = await proxy.stop();
  return { outcome, result: await load.result(), accepted: await sink.numbers() };
}
