import { getFileSink, getRotatingFileSink } from "@logtape/file";
import type { LogRecord, Sink } from "@logtape/logtape";
import { LineGatherer } from "./line_gatherer.ts";

/** Where a log file is, and how much of it is kept. */
export interface LogFileOptions {
  readonly path: string;
  /** A file is put aside before it grows beyond this. */
  readonly maxOctets: number;
  /** Number of files put aside that are kept, as `path.1`, `path.2` and so on. */
  readonly maxFiles: number;
}

// The typings promise the asynchronous disposal that `nonBlocking` brings only to an overload.
type FileSink = Sink & Partial<AsyncDisposable>;

const NON_BLOCKING = {
  formatter: (record: LogRecord) => String(record.rawMessage),
  nonBlocking: true,
  bufferSize: 0,
  flushInterval: 0,
} as const;

/**
 * A file of log lines that rotates by size: the library's sink, which can't go on after a failure, opened anew after each. What
 * could not be written then is lost.
 */
export class LogFile implements AsyncDisposable {
  readonly #options: LogFileOptions;
  readonly #gatherer = new LineGatherer((lines) => this.#write(recordOf(lines)));
  /** Absent after a failure, until the next line. */
  #sink: FileSink | undefined;
  readonly #closing = new Set<Promise<void>>();
  /** The file could not be put aside: it grows on until the log is opened anew. */
  #growsOn = false;

  /** Opens the file, or makes it. @throws {Error} Of the file system. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#sink = this.#open();
  }

  /** Takes a line, its line end included. */
  add(line: string): void {
    this.#gatherer.add(line);
  }

  /** Takes a line about a failure of the library's own, which by its category knows not to tell of failures to write it. */
  addFailure(line: string, { category, properties }: LogRecord): void {
    const failed = this.#sink;
    if (properties["path"] === this.#options.path && failed) {
      this.#sink = undefined;
      this.#growsOn ||= isFailedRename(properties["error"]) && isThere(this.#options.path);
      this.#close(failed);
    }
    this.#write({ ...recordOf(line), category });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gatherer.flush();
    if (this.#sink) this.#close(this.#sink);
    await Promise.all(this.#closing);
  }

  #write(record: LogRecord): void {
    try {
      this.#sink ??= this.#open();
    } catch (error) {
      // The log's own trouble has no other place to be told at; the next line tries again.
      if (error instanceof Error) return;
      throw error;
    }
    this.#sink(record);
  }

  #open(): FileSink {
    const { path, maxOctets, maxFiles } = this.#options;
    if (this.#growsOn) return getFileSink(path, NON_BLOCKING) as FileSink;
    return getRotatingFileSink(path, { ...NON_BLOCKING, maxSize: maxOctets, maxFiles }) as FileSink;
  }

  #close(sink: FileSink): void {
    const closing = Promise.resolve(sink[Symbol.asyncDispose]?.()).catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** Whether it was putting the file aside that failed: Deno's errors name the call. */
function isFailedRename(error: unknown): boolean {
  return error instanceof Error && /: rename /.test(error.message);
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Lines that are formatted already, in the shape in which the library's sink takes them. */
function recordOf(lines: string): LogRecord {
  return { category: [], level: "info", message: [lines], rawMessage: lines, timestamp: 0, properties: {} };
}
