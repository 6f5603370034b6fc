/** Ten thousand accounts: how long start and reload take, and what they weigh. */

import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { writeAccounts } from "../proxy_files.ts";
import { type ProxyOptions, ProxyProcess } from "../proxy_process.ts";
import { mebibytes, residentOctets } from "../resident_memory.ts";
import type { Row } from "../row.ts";
import { SinkProcess } from "../sink_process.ts";

const ACCOUNTS = 10_000;

/** The accounts row. */
export const accountsRow: Row = {
  name: "accounts",
  summary: "10,000 accounts: start, reload, memory",
  async measure(bench) {
    await using sink = await SinkProcess.start(bench);
    const options = { sink: sink.endpoints, passwordHash: bench.passwordHash, logsTo: "stderr" } as const;
    const readyMs: number[] = [];
    const reloadMs: number[] = [];
    const weight: number[] = [];
    for (let round = 1; round <= bench.rounds; round++) {
      const few = await measureAccounts(bench, { ...options, accounts: 1 });
      const many = await measureAccounts(bench, {
        sink: sink.endpoints,
        accounts: ACCOUNTS,
        logsTo: "stderr",
      });
      readyMs.push(many.readyMs);
      reloadMs.push(many.reloadMs);
      weight.push(mebibytes(many.octets - few.octets));
      bench.report(
        `accounts: round ${round}: ready after ${many.readyMs.toFixed(0)} ms (${
          few.readyMs.toFixed(0)
        } with one), ` +
          `reload ${many.reloadMs.toFixed(0)} ms, ${weight.at(-1)?.toFixed(1)} MiB more`,
      );
    }
    const common = { row: "accounts", notes: [], failed: false };
    const figures: Figure[] = [
      {
        ...common,
        what: "10,000 accounts, start to ready",
        unit: "ms",
        proxy: readyMs,
        target: { atMost: 1000 },
      },
      {
        ...common,
        what: "10,000 accounts, reload with one more",
        unit: "ms",
        proxy: reloadMs,
        target: { atMost: 1000 },
      },
      { ...common, what: "memory more than with one", unit: "MiB", proxy: weight, target: { atMost: 100 } },
    ];
    return figures;
  },
};

interface AccountsCost {
  readonly readyMs: number;
  readonly reloadMs: number;
  readonly octets: number;
}

async function measureAccounts(bench: Bench, options: ProxyOptions): Promise<AccountsCost> {
  await using proxy = await ProxyProcess.start(bench, options);
  const octets = await residentOctets(proxy.pid);
  await writeAccounts(proxy.files, { ...options, accounts: (options.accounts ?? 1) + 1 });
  const startMs = performance.now();
  proxy.signal("SIGHUP");
  const reloadMs = await proxy.logLine(RELOAD_DONE, startMs) - startMs;
  return { readyMs: proxy.readyMs, reloadMs, octets };
}

/** What the daemon's log line about a finished reload contains. */
const RELOAD_DONE = '"difference"';
