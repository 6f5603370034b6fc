/**
 * The bench: the figures that the daemon has to reach, measured against sending directly, on this machine.
 *
 * `deno task bench [row…] [--rounds N] [--seconds N] [--json]`
 */

import { Command } from "commander";
import { prepareBench } from "./bench.ts";
import { type Figure, judge } from "./figure.ts";
import { describeMachine } from "./machine.ts";
import { ProxyProcess } from "./proxy_process.ts";
import type { Row } from "./row.ts";
import { accountsRow } from "./rows/accounts.ts";
import { idleMemoryRow } from "./rows/idle_memory.ts";
import { largeMessagesRow } from "./rows/large_messages.ts";
import { latencyRow } from "./rows/latency.ts";
import { shutdownRow } from "./rows/shutdown.ts";
import { startRow } from "./rows/start.ts";
import { throughputRow } from "./rows/throughput.ts";
import { renderJson, renderTable } from "./table.ts";

const ROWS: readonly Row[] = [
  throughputRow,
  latencyRow,
  largeMessagesRow,
  idleMemoryRow,
  accountsRow,
  startRow,
  shutdownRow,
];
const ALL = "all";
const EXIT_INTERRUPTED = 130;
const INTERRUPTIONS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];
/** A row that takes longer than this hangs. */
const ROW_DEADLINE_MS = 20 * 60 * 1000;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly json: boolean;
}

interface RunOptions extends Options {
  readonly interrupted: AbortSignal;
}

/** @returns The exit status: 0 when every target was reached, 1 when one was missed. */
async function run(
  names: readonly string[],
  { interrupted, rounds, seconds, json }: RunOptions,
): Promise<number> {
  if (!await ProxyProcess.exists()) throw new Error("Cannot measure: src/main.ts is missing");
  const machine = await describeMachine();
  const rows = names.includes(ALL) ? ROWS : ROWS.filter((row) => names.includes(row.name));
  const figures: Figure[] = [];
  for (const row of rows) {
    await using bench = await prepareBench({
      rounds,
      seconds,
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(ROW_DEADLINE_MS)]),
      report: (text) => print(Deno.stderr, text + "\n"),
    });
    figures.push(...await row.measure(bench));
  }
  print(Deno.stdout, json ? renderJson(figures, machine) + "\n" : "\n" + renderTable(figures, machine));
  return figures.some((figure) => judge(figure).reached === false) ? 1 : 0;
}

/** Interrupted, the bench kills its processes and removes its folder before it ends. */
async function runUntilInterrupted(names: readonly string[], options: Options): Promise<number> {
  const controller = new AbortController();
  for (const name of INTERRUPTIONS) Deno.addSignalListener(name, () => controller.abort());
  try {
    return await run(names, { ...options, interrupted: controller.signal });
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    print(Deno.stderr, "Interrupted\n");
    return EXIT_INTERRUPTED;
  }
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`Cannot use "${text}": it has to be a number above 0`);
  return value;
}

function print(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += stream.writeSync(bytes.subarray(written));
}

function describeRows(): string {
  return "\nRows:\n" + ROWS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}\n`).join("");
}

if (import.meta.main) {
  const program = new Command("bench")
    .description("Measures the daemon against sending directly to the same sink")
    .argument("[rows...]", "what to measure", [ALL])
    .option("--rounds <n>", "measurements of each kind", parsePositive, 3)
    .option("--seconds <n>", "length of a measurement under load", parsePositive, 3)
    .option("--json", "print JSON", false)
    .addHelpText("after", describeRows())
    .action(async (names: readonly string[], options: Options) => {
      const unknown = names.filter((name) => name !== ALL && !ROWS.some((row) => row.name === name));
      if (unknown.length > 0) program.error(`unknown row: ${unknown.join(", ")}`);
      Deno.exit(await runUntilInterrupted(names, options));
    });
  await program.parseAsync(Deno.args, { from: "user" });
}
