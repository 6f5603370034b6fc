import {
  getJsonLinesFormatter,
  getTextFormatter,
  type LogRecord,
  type TextFormatter,
} from "@logtape/logtape";
import { getPrettyFormatter } from "@logtape/pretty";
import { redactByPattern } from "@logtape/redaction";
import type { AddressDigest } from "./address_digest.ts";
import { secretHint, secretPatterns } from "./secret_patterns.ts";

/** How lines of log look. */
export interface LogFormatOptions {
  readonly format: "text" | "json";
  /** Text is for eyes: colours, columns, time without date. */
  readonly isTerminal: boolean;
  /** Present: addresses are replaced. */
  readonly addressDigest?: AddressDigest | undefined;
}

/** Makes the function that turns a record into one line, its line end included, without secrets. */
export function logFormatter({ format, isTerminal, addressDigest }: LogFormatOptions): TextFormatter {
  const formatter = format === "json" ? jsonFormatter() : isTerminal ? terminalFormatter() : plainFormatter();
  const redact = redactByPattern(formatter, secretPatterns);
  const safe = (record: LogRecord) => {
    const line = formatter(record);
    return secretHint.test(line) ? redact(record) : line;
  };
  return addressDigest ? (record) => addressDigest.replaceIn(safe(record)) : safe;
}

function jsonFormatter(): TextFormatter {
  const format = getJsonLinesFormatter({
    properties: "flatten",
    categorySeparator: (category) => area(category),
  });
  return (record) =>
    isFlat(record.properties) ? flatJson(record) : format({ ...record, message: [bareMessage(record)] });
}

/**
 * The same line for properties that need no conversion, as those of a message's line: without the library's replacer, which is
 * called for each of them, the line takes a fifth of the time.
 */
function flatJson(record: LogRecord): string {
  const { timestamp, level, category, properties } = record;
  const line = JSON.stringify({
    "@timestamp": new Date(timestamp).toISOString(),
    level: level === "warning" ? "WARN" : level.toUpperCase(),
    message: bareMessage(record),
    logger: area(category),
    ...properties,
  });
  return `${escapeControls(line)}\n`;
}

/** Whether every property is a text, a number or a truth value. */
export function isFlat(properties: LogRecord["properties"]): boolean {
  for (const key in properties) {
    const value = properties[key];
    const type = typeof value;
    if (type !== "string" && type !== "number" && type !== "boolean" && value !== undefined) return false;
  }
  return true;
}

/** The message with its values in place, texts without the quotes that JSON would have to escape. */
function bareMessage({ message }: LogRecord): string {
  return message.map((part) => typeof part === "string" ? part : formatValue(part)).join("");
}

function plainFormatter(): TextFormatter {
  return getTextFormatter({
    timestamp: "rfc3339",
    level: (level) => level.toUpperCase().padEnd(7),
    value: "bare",
    category: area,
    sanitize: { newlines: "escape" },
    format: ({ timestamp, level, category, message, record }) => {
      const where = category === "" ? "" : `${category}: `;
      return `${timestamp} ${level} ${where}${message}${formatProperties(record)}`;
    },
  });
}

function terminalFormatter(): TextFormatter {
  const pretty = getPrettyFormatter({
    timestamp: "time",
    icons: false,
    levelStyle: "bold",
    categoryWidth: 10,
    wordWrap: false,
    colors: !Deno.noColor,
    sanitize: { newlines: "escape" },
  });
  const [dim, reset] = Deno.noColor ? ["", ""] : ["\x1b[2m", "\x1b[0m"];
  return (record) => {
    const line = pretty({ ...record, message: record.message, category: record.category.slice(1) }).trimEnd();
    return `${line}${dim}${formatProperties(record)}${reset}\n`;
  };
}

/** The category without its root, which is the program's own name. */
function area(category: readonly string[]): string {
  return category.slice(1).join(".");
}

/** ` key=value` for each property that the message doesn't show already. */
function formatProperties({ properties, rawMessage }: LogRecord): string {
  let text = "";
  for (const key in properties) {
    const value = properties[key];
    if (value === undefined) continue;
    if (typeof rawMessage === "string" && rawMessage.includes(`{${key}}`)) continue;
    text += ` ${key}=${formatValue(value)}`;
  }
  return text;
}

function formatValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
    return String(value);
  }
  if (typeof value === "string") return quoteIfNeeded(value);
  if (value instanceof Error) return quoteIfNeeded(describeError(value));
  return escapeControls(JSON.stringify(value, replaceUnserializable) ?? String(value));
}

function quoteIfNeeded(text: string): string {
  return /^[\w.@:+/<>%-]+$/.test(text) ? text : escapeControls(JSON.stringify(text));
}

/**
 * What JSON leaves as it is and terminals obey: DEL and the C1 controls, the line and paragraph separators, and what turns the
 * direction of writing (UAX #9 §2), so that a line could read as another.
 */
function escapeControls(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** An error and its causes on one line; stack traces are for the JSON format. */
function describeError(error: Error): string {
  const text = error.message === "" ? error.name : error.message;
  return error.cause instanceof Error ? `${text}: ${describeError(error.cause)}` : text;
}

function replaceUnserializable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Error ? describeError(value) : value;
}
