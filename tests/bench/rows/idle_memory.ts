/** Resident memory of sessions that have signed in and say nothing. */

import { proxySide, runLoad, RunningLoad } from "../load_side.ts";
import { ProxyProcess } from "../proxy_process.ts";
import { residentOctets } from "../resident_memory.ts";
import type { Row } from "../row.ts";
import { SinkProcess } from "../sink_process.ts";

const SESSIONS = 1000;

/** The memory row. */
export const idleMemoryRow: Row = {
  name: "memory",
  summary: "resident memory of 1,000 idle sessions",
  async measure(bench) {
    await using sink = await SinkProcess.start(bench);
    const each: number[] = [];
    for (let round = 1; round <= bench.rounds; round++) {
      await using proxy = await ProxyProcess.start(bench, { sink: sink.endpoints, logsTo: "file" });
      await runLoad(bench, proxySide(proxy), { sessions: 5, messages: 50 });
      const beforeOctets = await residentOctets(proxy.pid);
      await using _held = await RunningLoad.start(bench, proxySide(proxy), {
        sessions: SESSIONS,
        holds: true,
      });
      each.push((await residentOctets(proxy.pid) - beforeOctets) / SESSIONS / 1024);
      bench.report(`memory: round ${round}: ${each.at(-1)?.toFixed(1)} KiB a session`);
    }
    const what = "each of 1,000 idle sessions, signed in";
    return [{
      row: "memory",
      what,
      unit: "KiB",
      proxy: each,
      target: { atMost: 20 },
      notes: [],
      failed: false,
    }];
  },
};
