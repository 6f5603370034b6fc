/**
 * The log of the program, by LogTape.
 *
 * LogTape keeps one configuration for the whole process. This file is the only one that touches it: `openLogs` is the
 * list that the configuration is made from, so that several logs can be open, as tests and the sandbox want.
 */

import { randomBytes } from "node:crypto";
import {
  compareLogLevel,
  configureSync,
  getLogger,
  type Logger,
  type LogLevel,
  type LogRecord,
  resetSync,
  type Sink,
} from "@logtape/logtape";
import { redactByField } from "@logtape/redaction";
import { ConfigError } from "../config/config_error.ts";
import type { LogSettings } from "../config/settings.ts";
import { AddressDigest } from "./address_digest.ts";
import { type LineOutput, LineWriter } from "./line_writer.ts";
import { LogFile } from "./log_file.ts";
import { isFlat, logFormatter } from "./log_format.ts";
import { redacted, secretFields } from "./secret_patterns.ts";

/** An open log. Disposing it writes what is left and closes it; lines after that are lost. */
export interface Log extends AsyncDisposable {
  /** Root logger; each area of the program takes a child. */
  readonly logger: Logger;
  /**
   * Makes a function that writes lines of one area which come by the thousand. They go where the logger's lines go and look
   * the same; the library's dispatch, which takes as long as all the rest of a line, is left out.
   */
  writerOf(area: string): LineFunction;
  /**
   * Takes other settings and opens the file again, so that a file that was moved away is let go of.
   *
   * @throws {ConfigError} If the file can't be opened; the log goes on as before.
   */
  reconfigure(settings: LogSettings): Promise<void>;
}

/** Writes a line, unless it is below the log's level. @param template A constant; `{name}` stands for a property. */
export type LineFunction = (level: LogLevel, template: string, properties: LogRecord["properties"]) => void;

/** What a log is opened with beside its settings. */
export interface OpenLogOptions {
  /** Takes the lines when there is no file. Default: `Deno.stderr`. */
  readonly output?: LineOutput;
  /** Whether `output` is read by eyes. Default: as standard error is. */
  readonly isTerminal?: boolean;
  /** Key of address digests; the same key gives the same digests. Default: random. */
  readonly addressKey?: Uint8Array;
}

/**
 * Opens the log.
 *
 * @throws {ConfigError} If the file can't be opened.
 */
export function openLog(settings: LogSettings, options: OpenLogOptions = {}): Promise<Log> {
  return Promise.resolve().then(() => new OpenLog(settings, options));
}

const openLogs = new Set<OpenLog>();

function applyConfiguration(): void {
  const logs = [...openLogs];
  const [first] = logs;
  if (!first) return resetSync();
  configureSync({
    reset: true,
    sinks: Object.fromEntries(logs.map((log) => [log.category, log.sink])),
    loggers: [
      ...logs.map(({ category, level }) => ({ category, sinks: [category], lowestLevel: level })),
      { category: ["logtape", "meta"], sinks: [first.category], lowestLevel: "warning" },
    ],
  });
}

function freeCategory(): string {
  const taken = new Set([...openLogs].map(({ category }) => category));
  let category = "xoauth2-proxy";
  for (let number = 2; taken.has(category); number++) category = `xoauth2-proxy-${number}`;
  return category;
}

/** Where formatted records go, and how that ends. */
interface Target {
  readonly emit: Sink;
  close(): Promise<void>;
}

class OpenLog implements Log {
  readonly category = freeCategory();
  readonly logger: Logger = getLogger(this.category);
  readonly #writer: LineWriter;
  readonly #isTerminal: boolean;
  readonly #addressDigest: AddressDigest;
  #target: Target;
  #level: LogSettings["level"];

  constructor(settings: LogSettings, options: OpenLogOptions) {
    this.#writer = new LineWriter(options.output ?? Deno.stderr);
    this.#isTerminal = options.isTerminal ?? (options.output === undefined && Deno.stderr.isTerminal());
    this.#addressDigest = new AddressDigest(options.addressKey ?? randomBytes(32));
    this.#target = this.#openTarget(settings);
    this.#level = settings.level;
    openLogs.add(this);
    applyConfiguration();
  }

  get level(): LogSettings["level"] {
    return this.#level;
  }

  writerOf(area: string): LineFunction {
    const category = [this.category, area];
    // Text and name in turn, by template.
    const known = new Map<string, readonly string[]>();
    return (level, rawMessage, properties) => {
      if (compareLogLevel(level, this.#level) < 0 || !openLogs.has(this)) return;
      let parts = known.get(rawMessage);
      if (!parts) known.set(rawMessage, parts = rawMessage.split(/\{(\w+)\}/));
      const message = parts.map((part, index) => index % 2 === 0 ? part : properties[part]);
      this.#target.emit({ category, level, message, rawMessage, timestamp: Date.now(), properties });
    };
  }

  /** Stays the same for as long as the log is open, so that no record is lost while the target changes. */
  readonly sink = (record: LogRecord): void => this.#target.emit(record);

  async reconfigure(settings: LogSettings): Promise<void> {
    const before = this.#target;
    this.#target = this.#openTarget(settings);
    this.#level = settings.level;
    applyConfiguration();
    await before.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!openLogs.delete(this)) return;
    applyConfiguration();
    await this.#target.close();
  }

  #openTarget(settings: LogSettings): Target {
    const formatter = logFormatter({
      format: settings.format,
      isTerminal: settings.file === undefined && this.#isTerminal,
      addressDigest: settings.hashAddresses ? this.#addressDigest : undefined,
    });
    if (settings.file !== undefined) return openFile({ ...settings, file: settings.file }, formatter);
    const emit = redactFields((record) => {
      const dropped = this.#writer.takeDroppedLines();
      if (dropped > 0) this.#writer.write(formatter(droppedRecord(record, dropped)));
      this.#writer.write(formatter(record));
    });
    return { emit, close: () => this.#writer.flush() };
  }
}

function openFile(
  { file: path, maxFileOctets: maxOctets, maxFiles }: LogSettings & { readonly file: string },
  formatter: (record: LogRecord) => string,
): Target {
  try {
    const file = new LogFile({ path, maxOctets, maxFiles });
    return {
      emit: redactFields((record) => {
        if (record.category[0] === "logtape") file.addFailure(formatter(record), record);
        else file.add(formatter(record));
      }),
      close: () => file[Symbol.asyncDispose](),
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const finding = {
      file: path,
      path: "",
      message: `can't be opened for the log: ${error.name}`,
      hint: "make its folder and let the user that the daemon runs as write there, or change log.file",
    };
    throw new ConfigError([finding], { cause: error });
  }
}

/** Properties of a line are few and flat: a deeper or longer one is cut rather than walked. */
function redactFields(sink: Sink): Sink {
  const redacting = redactByField((record: LogRecord) => sink(record), {
    fieldPatterns: secretFields,
    action: () => redacted,
    maxDepth: 6,
    maxProperties: 200,
  });
  // Names come from the code and are few. The library looks at each of them on each line, and makes the record anew.
  const harmless = new Set<string>();
  const isHarmless = (name: string) => {
    if (harmless.has(name)) return true;
    if (secretFields.some((pattern) => typeof pattern === "string" ? pattern === name : pattern.test(name))) {
      return false;
    }
    harmless.add(name);
    return true;
  };
  return (record) => {
    const { properties } = record;
    if (isFlat(properties) && Object.keys(properties).every(isHarmless)) sink(record);
    else redacting(record);
  };
}

function droppedRecord(record: LogRecord, lines: number): LogRecord {
  const text = "Log lines were dropped because nobody read them";
  return { ...record, level: "warning", message: [text], rawMessage: text, properties: { lines } };
}
