/** A chaos report as text. */

import type { ChaosReport } from "./chaos.ts";

/** One line of figures, then a line for each violation. */
export function describeChaos(report: ChaosReport): string {
  const { seed, attempts, acknowledged, delivered, duplicates, unacknowledged, fatesUnknown, rest } = report;
  const mebibytes = Math.round(rest.residentOctets / 1024 / 1024);
  const figures = [
    `seed ${seed}: ${attempts} attempts`,
    `${acknowledged} acknowledged`,
    `${delivered} delivered`,
    `${report.lost.length} lost`,
    `${report.altered.length} altered`,
    `${duplicates} duplicates`,
    `${unacknowledged} delivered without the client's knowledge`,
    `${fatesUnknown} fates unknown in the log`,
    `${report.processes} processes`,
    `${mebibytes} MiB and ${rest.openFiles} files at the end`,
  ];
  return [figures.join(", "), ...report.violations.map((violation) => `  ${violation}`)].join("\n");
}
