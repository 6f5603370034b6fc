/**
 * The soak, by hand: `deno run -A tests/bench/soak.ts [--minutes 30]`.
 *
 * Half of the load that the daemon can take, for as long as that, with access tokens that are good for a minute, connections that
 * live half a minute, and a reload each minute that changes settings, adds an account and removes it again. In the end memory,
 * sockets and latency have to be what they were in the beginning, and every acknowledged message has to be at the sink.
 */

import { parseArgs } from "node:util";
import { type Bench, prepareBench } from "./bench.ts";
import { openDescriptors } from "../chaos/open_sockets.ts";
import { median } from "./figure.ts";
import { proxySide, runLoad, RunningLoad } from "./load_side.ts";
import { describeMachine } from "./machine.ts";
import { type ProxyFilesOptions, writeAccounts } from "./proxy_files.ts";
import { ProxyProcess } from "./proxy_process.ts";
import { mebibytes, residentOctets } from "./resident_memory.ts";
import { SinkProcess } from "./sink_process.ts";

const SHAPE = { sessions: 20 };
const MINUTE_SECONDS = 60;
/** Minutes that are compared at each end; the first of all is for warming up. */
const COMPARED = 3;

/** What one minute was like. */
interface Minute {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly memoryMiB: number;
  /** Open descriptors of the daemon, after the minute's sessions have ended. */
  readonly descriptors: number;
  readonly acknowledged: number;
  readonly failures: readonly string[];
}

async function soak(bench: Bench, minutes: number): Promise<boolean> {
  await using sink = await SinkProcess.start(bench, { tokenLifetimeSeconds: 60 });
  const options: ProxyFilesOptions = {
    sink: sink.endpoints,
    passwordHash: bench.passwordHash,
    connectionMaxAgeSeconds: 30,
  };
  await using proxy = await ProxyProcess.start(bench, { ...options, logsTo: "file" });
  const full = await runLoad(bench, proxySide(proxy), { ...SHAPE, seconds: 5, warmUpSeconds: 1 });
  const messagesPerSecond = Math.round(full.perSecond / 2);
  bench.report(
    `${
      full.perSecond.toFixed(0)
    } messages/s at full load; ${messagesPerSecond} messages/s for ${minutes} minutes`,
  );
  const before = (await sink.counts()).messages;
  const all: Minute[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    await using load = await RunningLoad.start(bench, proxySide(proxy), {
      ...SHAPE,
      seconds: MINUTE_SECONDS,
      messagesPerSecond,
    });
    // Other credentials make the daemon replace the connections of the account in use.
    await writeAccounts(proxy.files, {
      ...options,
      accounts: 1 + minute % 2,
      clientSecret: `secret-${minute}`,
    });
    await proxy.reload();
    const { perSecond, p50Ms, p99Ms, messagesInAll, failures } = await load.result();
    const one: Minute = {
      perSecond,
      p50Ms,
      p99Ms,
      memoryMiB: mebibytes(await residentOctets(proxy.pid)),
      descriptors: openDescriptors(proxy.pid).length,
      acknowledged: messagesInAll,
      failures: Object.entries(failures).map(([text, count]) => `${count} x ${text}`),
    };
    all.push(one);
    bench.report(`minute ${minute}: ${describe(one)}`);
  }
  const { messages, lateSignIns, tokenRequests, connections } = await sink.counts();
  const { exitCode } = await proxy.stop();
  const acknowledged = all.reduce((sum, one) => sum + one.acknowledged, 0);
  bench.report(
    `acknowledged ${acknowledged}, at the sink ${
      messages - before
    }; ${tokenRequests} token requests, ${connections} connections, ` +
      `${lateSignIns} sign-ins with a token that was over; the daemon ended with ${exitCode}`,
  );
  const faults = [
    ...all.flatMap(({ failures }) => failures),
    ...(acknowledged === messages - before ? [] : ["the sink's count differs"]),
    ...(exitCode === 0 ? [] : [`exit code ${exitCode}`]),
    ...compare(all),
  ];
  bench.report(faults.length === 0 ? "Held" : `Did not hold: ${faults.join("; ")}`);
  return faults.length === 0;
}

/** @returns What is not at the end as it was at the start. */
function compare(all: readonly Minute[]): string[] {
  const [start, end] = [all.slice(1, 1 + COMPARED), all.slice(-COMPARED)];
  const at = (minutes: readonly Minute[], of: (minute: Minute) => number) => median(minutes.map(of));
  const bounds: [what: string, of: (minute: Minute) => number, atMost: (before: number) => number][] = [
    ["resident memory in MiB", ({ memoryMiB }) => memoryMiB, (before) => before * 1.15],
    ["open descriptors", ({ descriptors }) => descriptors, (before) => before + 5],
    ["p50 in ms", ({ p50Ms }) => p50Ms, (before) => before * 1.5],
    ["p99 in ms", ({ p99Ms }) => p99Ms, (before) => before * 2],
  ];
  return bounds.flatMap(([what, of, atMost]) => {
    const [before, after] = [at(start, of), at(end, of)];
    return after <= atMost(before) ? [] : [`${what}: ${before.toFixed(2)} before, ${after.toFixed(2)} after`];
  });
}

function describe({ perSecond, p50Ms, p99Ms, memoryMiB, descriptors, failures }: Minute): string {
  return `${perSecond.toFixed(0)} messages/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ` +
    `${memoryMiB.toFixed(1)} MiB, ${descriptors} descriptors${
      failures.length === 0 ? "" : `, ${failures.join(", ")}`
    }`;
}

if (import.meta.main) {
  const { values } = parseArgs({ args: Deno.args, options: { minutes: { type: "string", default: "30" } } });
  const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const { cpu, cores, deno, date, loadAverage } = await describeMachine();
  print(`${cpu}, ${cores} cores, Deno ${deno}, ${date}, load average before: ${loadAverage}`);
  await using bench = await prepareBench({
    rounds: 1,
    seconds: MINUTE_SECONDS,
    signal: stop.signal,
    report: print,
  });
  Deno.exitCode = await soak(bench, Number(values.minutes)) ? 0 : 1;
}
