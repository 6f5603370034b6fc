/** Prints figures as a Markdown table, or as JSON. */

import { type Figure, judge, median, type Target } from "./figure.ts";
import type { Machine } from "./machine.ts";

const HEADINGS = ["row", "what", "unit", "direct", "sketch", "proxy", "ratio", "adds", "target", "", "notes"];

/** Renders one heading and a line for each figure: medians, and the spread in brackets. */
export function renderTable(figures: readonly Figure[], machine: Machine): string {
  const lines = figures.map(renderLine);
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, 2, ...lines.map((cells) => cells[column]?.length ?? 0))
  );
  const rule = widths.map((width) => "-".repeat(width));
  const rows = [HEADINGS, rule, ...lines].map((cells) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`.trimEnd()
  );
  const { cpu, cores, system, deno, date, loadAverage } = machine;
  const heading =
    `${cpu}, ${cores} cores, ${system}, Deno ${deno}, ${date}, load average before: ${loadAverage}`;
  return `${heading}\n\n${rows.join("\n")}\n`;
}

/** Renders figures with their judgements as one JSON document. */
export function renderJson(figures: readonly Figure[], machine: Machine): string {
  return JSON.stringify(
    { machine, figures: figures.map((figure) => ({ ...figure, ...judge(figure) })) },
    null,
    2,
  );
}

function renderLine(figure: Figure): string[] {
  const { ratio, adds, reached } = judge(figure);
  return [
    figure.row,
    figure.what,
    figure.unit,
    figure.direct ? renderSamples(figure.direct) : "",
    figure.sketch ? renderSamples(figure.sketch) : "",
    renderSamples(figure.proxy),
    ratio === undefined ? "" : ratio.toFixed(2),
    adds === undefined || figure.target?.addsAtMost === undefined ? "" : renderNumber(adds),
    figure.target ? renderTarget(figure.target) : "",
    reached === undefined ? "" : reached ? "ok" : "MISSED",
    figure.notes.join("; ").replaceAll("|", "/"),
  ];
}

function renderSamples(samples: readonly number[]): string {
  if (samples.length === 0) return "none";
  if (samples.length === 1) return renderNumber(samples[0]!);
  return `${renderNumber(median(samples))} (${renderNumber(Math.min(...samples))}–${
    renderNumber(Math.max(...samples))
  })`;
}

function renderTarget({ atLeast, atMost, ratioAtLeast, addsAtMost }: Target): string {
  const parts: string[] = [];
  if (ratioAtLeast !== undefined) parts.push(`ratio ≥ ${ratioAtLeast}`);
  if (atLeast !== undefined) parts.push(`≥ ${atLeast}`);
  if (atMost !== undefined) parts.push(`≤ ${atMost}`);
  if (addsAtMost !== undefined) parts.push(`adds ≤ ${addsAtMost}`);
  return parts.join(", ");
}

function renderNumber(value: number): string {
  if (!Number.isFinite(value)) return "none";
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
