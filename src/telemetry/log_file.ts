import type { LineOutput } from "./line_writer.ts";

/** Where a log file is, and how much of it is kept. */
export interface LogFileOptions {
  readonly path: string;
  /** A file is put aside before it grows beyond this. */
  readonly maxOctets: number;
  /** Number of files put aside that are kept, as `path.1`, `path.2` and so on. */
  readonly maxFiles: number;
  /** Is told why the file could not be put aside. It grows on, and after as many octets once more it is tried again. */
  readonly onRotationFailure: (error: Error) => void;
}

/** A log file that rotates by size. What goes wrong costs the lines in hand at most: the next ones open the file again. */
export class LogFile implements LineOutput, Disposable {
  readonly #options: LogFileOptions;
  #file: Deno.FsFile | undefined;
  /** Its number in the file system, where there are such. */
  #inode: number | null = null;
  /** Neither rotated nor synced: a pipe, a terminal, /dev/stdout. */
  #isDevice = false;
  /** Since the file was empty, or could last not be put aside. */
  #octets = 0;

  private constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Opens the file, or makes it. @throws {Error} Of the file system. */
  static async open(options: LogFileOptions): Promise<LogFile> {
    const file = new LogFile(options);
    await file.#open();
    return file;
  }

  /** Writes a part or all of `octets`, so that a power cut doesn't lose it. @throws {Error} Of the file system. */
  async write(octets: Uint8Array): Promise<number> {
    if (await this.#isElsewhere()) await this.#follow();
    let file = this.#file ?? await this.#open();
    if (this.#octets > 0 && this.#octets + octets.length > this.#options.maxOctets) {
      file = await this.#rotate();
    }
    try {
      const written = await file.write(octets);
      if (!this.#isDevice) {
        this.#octets += written;
        await file.syncData();
      }
      return written;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #open(): Promise<Deno.FsFile> {
    const file = await Deno.open(this.#options.path, { create: true, append: true });
    const { isFile, size, ino } = await file.stat();
    this.#inode = ino;
    this.#isDevice = !isFile;
    this.#octets = isFile ? size : 0;
    this.#file?.close();
    return this.#file = file;
  }

  /** Moved or removed by hand, or put aside by a log that was opened on it before or after this one. */
  async #isElsewhere(): Promise<boolean> {
    try {
      return (await Deno.stat(this.#options.path)).ino !== this.#inode;
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  }

  /** Where no file can be made, the lines go on to where the old one went. */
  async #follow(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      if (!this.#file) throw error;
    }
  }

  async #rotate(): Promise<Deno.FsFile> {
    const { path, maxFiles, onRotationFailure } = this.#options;
    this[Symbol.dispose]();
    let failure: Error | undefined;
    try {
      for (let number = maxFiles - 1; number > 0; number--) {
        await renameIfThere(`${path}.${number}`, `${path}.${number + 1}`);
      }
      await renameIfThere(path, `${path}.1`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      failure = error;
    }
    const file = await this.#open();
    if (failure) {
      this.#octets = 0;
      onRotationFailure(failure);
    }
    return file;
  }
}

/** Somebody may have moved or removed the file: then there is nothing to put aside. */
async function renameIfThere(path: string, newPath: string): Promise<void> {
  try {
    await Deno.rename(path, newPath);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
