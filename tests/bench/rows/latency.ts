/** What the proxy adds to a message's time, warm, with one session: from MAIL to the final reply. */

import type { Figure } from "../figure.ts";
import { directSide, failureNotes, proxySide, runLoad } from "../load_side.ts";
import { ProxyProcess } from "../proxy_process.ts";
import type { Row } from "../row.ts";
import { SinkProcess } from "../sink_process.ts";

/** The latency row. */
export const latencyRow: Row = {
  name: "latency",
  summary: "added latency of one warm session, p50 and p99",
  async measure(bench) {
    await using sink = await SinkProcess.start(bench);
    const { passwordHash } = bench;
    await using proxy = await ProxyProcess.start(bench, {
      sink: sink.endpoints,
      passwordHash,
      logsTo: "file",
    });
    const figures: Figure[] = [];
    for (const pipelining of [true, false]) {
      const p50 = { direct: [] as number[], proxy: [] as number[] };
      const p99 = { direct: [] as number[], proxy: [] as number[] };
      const notes: string[] = [];
      for (let round = 1; round <= bench.rounds; round++) {
        for (const name of ["direct", "proxy"] as const) {
          const side = name === "direct" ? directSide(bench, sink) : proxySide(proxy);
          const shape = { sessions: 1, pipelining, seconds: bench.seconds, warmUpSeconds: 1 };
          const result = await runLoad(bench, side, shape);
          p50[name].push(result.p50Ms);
          p99[name].push(result.p99Ms);
          notes.push(...failureNotes(name, result));
          bench.report(`latency: round ${round}: ${name} p50 ${result.p50Ms.toFixed(2)} ms`);
        }
      }
      const how = `1 session, 4 KiB, ${pipelining ? "pipelining" : "lock-step"}`;
      const common = { row: "latency", unit: "ms", notes, failed: notes.length > 0 };
      figures.push(
        { ...common, what: `p50, ${how}`, ...p50, target: { addsAtMost: 1 } },
        { ...common, what: `p99, ${how}`, ...p99, target: { addsAtMost: 5 } },
      );
    }
    return figures;
  },
};
