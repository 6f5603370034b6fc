/** Messages a second: directly, through the sketch and through the proxy, in turn. */

import type { Bench } from "../bench.ts";
import { cpuTimeMs } from "../cpu_time.ts";
import { type Figure, median, type Target } from "../figure.ts";
import {
  directSide,
  failureNotes,
  type LoadShape,
  type LoadSide,
  proxySide,
  runLoad,
  RunningLoad,
  SketchProcess,
} from "../load_side.ts";
import { ProxyProcess } from "../proxy_process.ts";
import type { Row } from "../row.ts";
import type { SinkBehaviour } from "../sink_ledger.ts";
import { SinkProcess } from "../sink_process.ts";
import { measurePostfixLoad } from "./postfix_load.ts";

interface Case {
  readonly what: string;
  readonly shape: LoadShape;
  readonly sink?: SinkBehaviour;
  readonly target?: Target;
  /** Upstream connections of the account. Default: 25. */
  readonly connections?: number;
}

const REQUIRED: Target = { ratioAtLeast: 0.85, atLeast: 2000 };
const FLAT_OUT: Target = { atLeast: 2000 };

/**
 * What is required is a share of what sending directly reaches, so it is the sink that decides what that means. A provider takes
 * some milliseconds for a message, and not the same for each; the sketch gets nine tenths of direct there. A sink that
 * answers at once takes 20 µs for a message, less than any process in the middle: its figures tell what the proxy costs.
 */
const CASES: readonly Case[] = [
  {
    what: "20 sessions, 4 KiB, pipelining, final reply after 2.5 to 7.5 ms",
    shape: { sessions: 20 },
    sink: { finalReplyDelayMs: [2.5, 7.5] },
    target: REQUIRED,
  },
  {
    what: "200 sessions, 4 KiB, pipelining, final reply after 25 to 75 ms",
    shape: { sessions: 200 },
    sink: { finalReplyDelayMs: [25, 75] },
    connections: 200,
    target: REQUIRED,
  },
  {
    what: "20 sessions, 4 KiB, pipelining, all final replies after 5 ms",
    shape: { sessions: 20 },
    sink: { finalReplyDelayMs: [5, 5] },
    target: FLAT_OUT,
  },
  { what: "20 sessions, 4 KiB, pipelining", shape: { sessions: 20 }, target: FLAT_OUT },
  {
    what: "20 sessions, 4 KiB, lock-step",
    shape: { sessions: 20, pipelining: false },
    target: FLAT_OUT,
  },
  { what: "1 session, 4 KiB, pipelining", shape: { sessions: 1 } },
  { what: "200 sessions, 4 KiB, pipelining", shape: { sessions: 200 }, target: FLAT_OUT },
  {
    what: "20 sessions, 4 KiB, a connection each message",
    shape: { sessions: 20, connectsPerMessage: true },
  },
  { what: "20 sessions, 100 KiB, pipelining", shape: { sessions: 20, messageOctets: 100 * 1024 } },
];

/** The throughput row. */
export const throughputRow: Row = {
  name: "throughput",
  summary:
    "messages a second: sessions, sizes, pipelining, a connection for each message; smtp-source if there",
  async measure(bench) {
    const figures: Figure[] = [];
    for (const one of CASES) figures.push(await measureCase(bench, one));
    return [...figures, ...await measurePostfixLoad(bench)];
  },
};

async function measureCase(bench: Bench, one: Case): Promise<Figure> {
  const { what, shape, sink: behaviour, target, connections = 25 } = one;
  await using sink = await SinkProcess.start(bench, behaviour);
  await using sketch = await SketchProcess.start(bench, sink);
  const { passwordHash } = bench;
  await using proxy = await ProxyProcess.start(bench, {
    sink: sink.endpoints,
    connections,
    passwordHash,
    logsTo: "file",
  });
  // So that the password has been checked once: scrypt belongs to the first sign-in, not to the rate.
  await runLoad(bench, proxySide(proxy), { sessions: 1, messages: 1 });
  const sides = { direct: directSide(bench, sink), sketch: sketch.side, proxy: proxySide(proxy) };
  const rates = { direct: [] as number[], sketch: [] as number[], proxy: [] as number[] };
  const notes: string[] = [];
  const cpuMicroseconds: number[] = [];
  let failed = false;
  for (let round = 1; round <= bench.rounds; round++) {
    for (const name of ["direct", "sketch", "proxy"] as const) {
      const { result, cpuMs } = await loadOnce(bench, { side: sides[name], shape, pid: proxy.pid });
      if (name === "proxy" && cpuMs !== undefined) cpuMicroseconds.push(cpuMs * 1000 / result.messagesInAll);
      bench.report(`throughput: ${what}: round ${round}: ${name} ${result.perSecond.toFixed(0)} messages/s`);
      rates[name].push(result.perSecond);
      const failures = failureNotes(name, result);
      failed ||= name === "proxy" && failures.length > 0;
      notes.push(...failures);
    }
  }
  return {
    row: "throughput",
    what,
    unit: "messages/s",
    ...rates,
    ...(target && { target }),
    notes: [...cpuNote(cpuMicroseconds), ...new Set(notes)],
    failed,
  };
}

function cpuNote(microseconds: readonly number[]): string[] {
  return microseconds.length === 0 ? [] : [`proxy: ${median(microseconds).toFixed(0)} µs CPU a message`];
}

interface OneLoad {
  readonly side: LoadSide;
  readonly shape: LoadShape;
  /** The proxy's process. */
  readonly pid: number;
}

/** @returns The load's result, and the processor time that the proxy took from the first message to the last. */
async function loadOnce(bench: Bench, { side, shape, pid }: OneLoad) {
  await using load = await RunningLoad.start(bench, side, {
    ...shape,
    seconds: bench.seconds,
    warmUpSeconds: 1,
  });
  const beforeMs = await cpuTimeMs(pid);
  const result = await load.result();
  const afterMs = await cpuTimeMs(pid);
  const cpuMs = beforeMs === undefined || afterMs === undefined ? undefined : afterMs - beforeMs;
  return { result, cpuMs };
}
