/** A logger that keeps what it is given, for assertions. */

import type { Logger } from "@logtape/logtape";

/** One call of the logger. */
export interface Recorded {
  readonly level: string;
  readonly message: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** Makes a logger and the list that it fills. */
export function recordingLog(): { log: Logger; records: Recorded[]; messages: () => string[] } {
  const records: Recorded[] = [];
  const at = (level: string) => (message: string, properties: Record<string, unknown> = {}) =>
    void records.push({ level, message, properties });
  const levels = ["trace", "debug", "info", "warn", "warning", "error", "fatal"];
  const log = Object.fromEntries(levels.map((level) => [level, at(level)])) as unknown as Logger;
  return { log, records, messages: () => records.map(render) };
}

function render({ message, properties }: Recorded): string {
  return message.replace(/\{(\w+)\}/g, (_, name: string) => String(properties[name]));
}
