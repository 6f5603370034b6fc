/** Large messages, many at a time: speed, and how much memory the proxy takes for them. */

import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { directSide, failureNotes, proxySide, runLoad } from "../load_side.ts";
import { ProxyProcess } from "../proxy_process.ts";
import { mebibytes, ResidentMemoryWatch, residentOctets } from "../resident_memory.ts";
import type { Row } from "../row.ts";
import { SinkProcess } from "../sink_process.ts";

const MESSAGE_OCTETS = 25_000_000;
const SESSIONS = 50;
const MESSAGES = 100;
const SHAPE = { sessions: SESSIONS, messages: MESSAGES, messageOctets: MESSAGE_OCTETS };

/** The row of 25 MB messages. */
export const largeMessagesRow: Row = {
  name: "large",
  summary: "25 MB messages, 50 at a time: speed and growth of resident memory",
  async measure(bench) {
    await using sink = await SinkProcess.start(bench);
    const megabytes = { direct: [] as number[], proxy: [] as number[] };
    const growth: number[] = [];
    const notes: string[] = [];
    for (let round = 1; round <= bench.rounds; round++) {
      const direct = await runLoad(bench, directSide(bench, sink), SHAPE);
      megabytes.direct.push(megabytesPerSecond(direct.perSecond));
      const through = await measureProxy(bench, sink);
      megabytes.proxy.push(megabytesPerSecond(through.perSecond));
      growth.push(mebibytes(through.growthOctets));
      notes.push(...failureNotes("direct", direct), ...through.failures);
      bench.report(
        `large: round ${round}: direct ${megabytes.direct.at(-1)?.toFixed(0)} MB/s, proxy ` +
          `${megabytes.proxy.at(-1)?.toFixed(0)} MB/s, growth ${growth.at(-1)?.toFixed(1)} MiB`,
      );
    }
    const common = { row: "large", notes: [...new Set(notes)], failed: notes.length > 0 };
    const figures: Figure[] = [
      {
        ...common,
        what: "25 MB messages, 50 at a time",
        unit: "MB/s",
        ...megabytes,
        target: { ratioAtLeast: 0.7 },
      },
      { ...common, what: "growth of resident memory", unit: "MiB", proxy: growth, target: { atMost: 64 } },
    ];
    return figures;
  },
};

interface LargeLoad {
  readonly perSecond: number;
  readonly growthOctets: number;
  readonly failures: readonly string[];
}

/** A new proxy each time, because a heap that has grown once doesn't grow again. */
async function measureProxy(bench: Bench, sink: SinkProcess): Promise<LargeLoad> {
  const options = { sink: sink.endpoints, connections: SESSIONS, logsTo: "file" } as const;
  await using proxy = await ProxyProcess.start(bench, options);
  await runLoad(bench, proxySide(proxy), { sessions: SESSIONS, messages: 500 });
  const beforeOctets = await residentOctets(proxy.pid);
  await using watch = new ResidentMemoryWatch(proxy.pid);
  const result = await runLoad(bench, proxySide(proxy), SHAPE);
  return {
    perSecond: result.perSecond,
    growthOctets: watch.highestOctets - beforeOctets,
    failures: failureNotes("proxy", result),
  };
}

function megabytesPerSecond(messagesPerSecond: number): number {
  return messagesPerSecond * MESSAGE_OCTETS / 1e6;
}
