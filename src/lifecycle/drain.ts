/**
 * The drain: named steps, one after the other, all under one deadline.
 *
 * A step that fails or hangs doesn't keep the later ones from running, and the whole always ends in time: a step is told
 * to cut first, and left behind if it doesn't return even then.
 */

import type { Logger } from "@logtape/logtape";
import { type BudgetOptions, DrainBudget } from "./drain_budget.ts";

/** What tells a step that its time is over. */
export interface DrainSignals {
  /** Aborts when the step must cut what is left: at its deadline, and at a kill as well. */
  readonly deadline: AbortSignal;
  /** Aborts at a kill only: not even farewells (QUIT, 421) are worth the time. */
  readonly kill: AbortSignal;
  /** Notes something that is cut, named so that an operator finds it again; known then whatever becomes of the step. */
  readonly noteCut: (what: string) => void;
}

/** What a step has to tell. */
export interface DrainStepResult {
  /** Counts and the like, for the log. */
  readonly summary?: Readonly<Record<string, unknown>>;
}

/** One step of the drain. */
export interface DrainStep {
  readonly name: string;
  /** Time that the steps before this one leave for it, in milliseconds. Default 0. */
  readonly reserveMs?: number;
  run(signals: DrainSignals): Promise<DrainStepResult | void>;
}

/** How a step ended; `abandoned`: it had not returned when its time was over, `skipped`: a kill came before it. */
export interface DrainStepReport {
  readonly name: string;
  readonly outcome: "done" | "failed" | "abandoned" | "skipped";
  readonly ms: number;
  readonly summary: Readonly<Record<string, unknown>>;
  readonly cut: readonly string[];
  readonly error?: unknown;
}

/** The whole drain. */
export interface DrainReport {
  readonly steps: readonly DrainStepReport[];
  readonly totalMs: number;
  /** What all the steps cut, in order. */
  readonly cut: readonly string[];
}

/** Collaborators and limits of a drain. */
export interface DrainOptions extends Omit<BudgetOptions, "reservesMs"> {
  readonly log: Logger;
}

type Ending = Pick<DrainStepReport, "outcome"> & Partial<DrainStepReport>;

/** Runs the steps in order and logs each. Never rejects. */
export async function drain(steps: readonly DrainStep[], options: DrainOptions): Promise<DrainReport> {
  const { kill, log, now } = options;
  const startedAtMs = now();
  using budget = new DrainBudget({ ...options, reservesMs: steps.map((step) => step.reserveMs ?? 0) });
  const reports: DrainStepReport[] = [];
  for (const [index, step] of steps.entries()) {
    const stepStartedAtMs = now();
    using limit = budget.limitStep(index);
    const cut = new Set<string>();
    const noteCut = (what: string) => void cut.add(what);
    const ending = limit.isOver ? { outcome: "skipped" as const } : await Promise.race([
      runStep(step, { deadline: limit.deadline, kill, noteCut }),
      limit.over.then(() => abandoned),
    ]);
    const ms = roundMs(now() - stepStartedAtMs);
    const report = { name: step.name, summary: {}, cut: [...cut], ms, ...ending };
    logStep(report, { log, isKilled: kill.aborted });
    reports.push(report);
  }
  return {
    steps: reports,
    totalMs: roundMs(now() - startedAtMs),
    cut: reports.flatMap((report) => report.cut),
  };
}

/** One line for people: each step with its time, then what was cut. */
export function describeReport(report: DrainReport): string {
  const steps = report.steps.map(({ name, outcome, ms }) =>
    outcome === "done" ? `${name} ${ms} ms` : `${name} ${outcome} after ${ms} ms`
  );
  const cut = report.cut.length === 0 ? "nothing cut" : `cut ${report.cut.length}: ${report.cut.join("; ")}`;
  return [steps.join(", "), cut].filter((part) => part !== "").join("; ");
}

const abandoned: Ending = { outcome: "abandoned" };

async function runStep(step: DrainStep, signals: DrainSignals): Promise<Ending> {
  try {
    const result = await step.run(signals);
    return { outcome: "done", summary: result?.summary ?? {} };
  } catch (error) {
    return { outcome: "failed", error };
  }
}

function logStep(report: DrainStepReport, { log, isKilled }: { log: Logger; isKilled: boolean }): void {
  const { name: step, ms, summary, cut, error } = report;
  switch (report.outcome) {
    case "done":
      log.info("Drain step {step} done in {ms} ms", { step, ms, ...summary });
      break;
    case "failed":
      log.error("Drain step {step} failed after {ms} ms, going on with the next: {error}", {
        step,
        ms,
        error,
      });
      break;
    case "abandoned":
      log.error("Drain step {step} did not end within its {ms} ms, going on with the next", { step, ms });
      break;
    case "skipped":
      log.warn("Drain step {step} skipped: no time left", { step });
      break;
  }
  const line = isKilled ? "Cut: {what}" : "Cut at the deadline: {what}";
  for (const what of cut) log.warn(line, { step, what });
}

function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}
