/** How soon the daemon is ready. */

import { ProxyProcess } from "../proxy_process.ts";
import type { Row } from "../row.ts";
import { SinkProcess } from "../sink_process.ts";

/** The start row. */
export const startRow: Row = {
  name: "start",
  summary: "from the start of the process to READY",
  async measure(bench) {
    await using sink = await SinkProcess.start(bench);
    const readyMs: number[] = [];
    for (let round = 1; round <= bench.rounds; round++) {
      await using proxy = await ProxyProcess.start(bench, { sink: sink.endpoints, logsTo: "stderr" });
      readyMs.push(proxy.readyMs);
      bench.report(`start: round ${round}: ready after ${proxy.readyMs.toFixed(0)} ms`);
    }
    const what = "start of the process to READY";
    return [{
      row: "start",
      what,
      unit: "ms",
      proxy: readyMs,
      target: { atMost: 400 },
      notes: [],
      failed: false,
    }];
  },
};
