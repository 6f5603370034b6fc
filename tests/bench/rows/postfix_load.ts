/** Postfix's smtp-source as a second loader, where it is installed: a client that nobody here wrote. */

import { type Bench, HOSTNAME } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { mailboxes } from "../proxy_files.ts";
import { ProxyProcess } from "../proxy_process.ts";
import { SinkProcess } from "../sink_process.ts";

const MESSAGES = 4000;
const DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/opt/homebrew/sbin"];

/**
 * Measures smtp-source with connections that it keeps, and with one for each message. It knows neither TLS nor AUTH,
 * so the proxy signs it in by its address, and "direct" is the sink without either: the ratio is harder than the
 * bench's own.
 *
 * @returns Nothing where smtp-source isn't installed.
 */
export async function measurePostfixLoad(bench: Bench): Promise<Figure[]> {
  const program = await findProgram();
  if (program === undefined) {
    bench.report("throughput: smtp-source isn't installed, so it isn't measured");
    return [];
  }
  await using sink = await SinkProcess.start(bench);
  await using proxy = await ProxyProcess.start(bench, { sink: sink.endpoints, logsTo: "file" });
  const ports = { direct: sink.endpoints.plainPort, proxy: proxy.openPort };
  const figures: Figure[] = [];
  for (const keeps of [true, false]) figures.push(await measureOne(bench, { program, ports, keeps }));
  return figures;
}

interface OneLoad {
  readonly program: string;
  readonly ports: { readonly direct: number; readonly proxy: number };
  /** Many messages over each connection. */
  readonly keeps: boolean;
}

async function measureOne(bench: Bench, { program, ports, keeps }: OneLoad): Promise<Figure> {
  const rates = { direct: [] as number[], proxy: [] as number[] };
  const what = `smtp-source, 20 sessions, 4 KiB, ${keeps ? "kept connections" : "a connection each message"}`;
  const notes: string[] = [];
  for (let round = 0; round <= bench.rounds; round++) {
    for (const name of ["direct", "proxy"] as const) {
      const startMs = performance.now();
      const errors = await run(program, { port: ports[name], keeps, signal: bench.signal });
      const perSecond = MESSAGES / (performance.now() - startMs) * 1000;
      bench.report(`throughput: ${what}: round ${round}: ${name} ${perSecond.toFixed(0)} messages/s`);
      if (errors !== "") notes.push(`${name}: ${errors}`);
      if (round > 0) rates[name].push(perSecond); // the first warms up
    }
  }
  const failed = notes.length > 0;
  return { row: "throughput", what, unit: "messages/s", ...rates, notes: [...new Set(notes)], failed };
}

interface Run {
  readonly port: number;
  readonly keeps: boolean;
  readonly signal: AbortSignal;
}

/** @returns What it complained of, or that it failed; empty when all went well. */
async function run(program: string, { port, keeps, signal }: Run): Promise<string> {
  const [sender] = mailboxes(1);
  const { success, code, stderr } = await new Deno.Command(program, {
    args: [
      ...(keeps ? ["-d"] : []),
      ...["-s", "20", "-l", "4096", "-m", String(MESSAGES)],
      ...["-f", sender ?? "", "-t", "sink@localhost", `${HOSTNAME}:${port}`],
    ],
    stdout: "null",
    stderr: "piped",
    signal,
  }).output();
  const text = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
  return success ? text : `exit code ${code} ${text}`;
}

async function findProgram(): Promise<string | undefined> {
  for (const directory of DIRECTORIES) {
    try {
      const path = `${directory}/smtp-source`;
      if ((await Deno.stat(path)).isFile) return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}
