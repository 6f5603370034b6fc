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
  /** The open file's number in the file system. */
  #inode: number | null | undefined;
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

  /** Takes a line about a failure of the library's own. It is written a moment later like any other, so that failures of that are told, too. */
  addFailure(line: string, { properties }: LogRecord): void {
    if (properties["path"] === this.#options.path) {
      this.#growsOn ||= isFailedRename(properties["error"]) && inodeOf(this.#options.path) !== undefined;
      this.#drop();
    }
    this.#gatherer.add(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gatherer.flush();
    this.#drop();
    await Promise.all(this.#closing);
  }

  #write(record: LogRecord): void {
    // Moved or removed by hand: what goes into it is lost.
    if (this.#sink && inodeOf(this.#options.path) !== this.#inode) this.#drop();
    try {
      this.#sink ??= this.#open();
      this.#sink(record);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // The log's own trouble has no other place to be told at; the next line tries again.
      this.#drop();
    }
  }

  #open(): FileSink {
    const { path, maxOctets, maxFiles } = this.#options;
    const sink = this.#growsOn
      ? getFileSink(path, NON_BLOCKING)
      : getRotatingFileSink(path, { ...NON_BLOCKING, maxSize: maxOctets, maxFiles });
    this.#inode = inodeOf(path);
    return sink as FileSink;
  }

  #drop(): void {
    const sink = this.#sink;
    if (!sink) return;
    this.#sink = undefined;
    const closing = Promise.resolve(sink[Symbol.asyncDispose]?.()).catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** Whether it was putting the file aside that failed: Deno's errors name the call. */
function isFailedRename(error: unknown): boolean {
  return error instanceof Error && /: rename /.test(error.message);
}

/** Nothing if there is no file; null where files have no numbers. */
function inodeOf(path: string): number | null | undefined {
  try {
    return Deno.statSync(path).ino;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Lines that are formatted already, in the shape in which the library's sink takes them. */
function recordOf(lines: string): LogRecord {
  return { category: [], level: "info", message: [lines], rawMessage: lines, timestamp: 0, properties: {} };
}
