import { readUtf8 } from "../config/read_utf8.ts";
import { removeLeftovers, resolveLink, tryToWrite, writeFileAtomically } from "./atomic_file.ts";
import { withFileLock } from "./file_lock.ts";

/** How a file's text becomes a document and back. */
export interface SharedFileOptions<Document> {
  readonly path: string;
  /** @param text Nothing if there is no file. */
  readonly parse: (text: string | undefined) => Document;
  readonly serialize: (document: Document) => string;
}

interface Edit<Document> {
  /** Nothing to only find out whether an edit could be written. */
  readonly change: ((document: Document) => void) | undefined;
  readonly written: PromiseWithResolvers<void>;
}

const lockTimeoutMs = 10_000;

/**
 * A file that several processes edit: each edit sees what the others have written, and none is lost. Edits that come
 * while one is being written go into the next write together.
 */
export class SharedFile<Document> {
  readonly #options: SharedFileOptions<Document>;
  #waiting: Edit<Document>[] = [];
  #writing: Promise<void> | undefined;
  #isTidy = false;
  /** The document of the text last seen, so that an unchanged file isn't parsed again. */
  #known: { readonly text: string | undefined; readonly document: Document } | undefined;

  constructor(options: SharedFileOptions<Document>) {
    this.#options = options;
  }

  /** Where the file is. */
  get path(): string {
    return this.#options.path;
  }

  /**
   * Reads the file as it is now.
   *
   * @throws {Error} Of the file system or of `parse`.
   */
  async read(): Promise<Document> {
    return this.#options.parse(await readIfPresent(this.path));
  }

  /**
   * Looks something up in the file as it is now, parsed only if it has changed.
   *
   * @param at Changes nothing, and keeps nothing of the document.
   * @throws {Error} Of the file system or of `parse`.
   */
  async look<T>(at: (document: Document) => T): Promise<T> {
    const text = await readIfPresent(this.path);
    if (this.#known?.text !== text || this.#known === undefined) {
      this.#known = { text, document: this.#options.parse(text) };
    }
    return at(this.#known.document);
  }

  /** Tells whether there is a file, or a link to one. */
  async exists(): Promise<boolean> {
    try {
      await Deno.lstat(this.path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /**
   * Changes the document and writes it; resolves when the change is on disk.
   *
   * @param change Throws before it touches the document, or not at all.
   * @throws {Error} What `change` threw, or why the file could not be read or written.
   */
  edit(change: (document: Document) => void): Promise<void> {
    return this.#enqueue(change);
  }

  /**
   * Makes sure that an edit could be written now.
   *
   * @throws {Error} Why not.
   */
  requireWritable(): Promise<void> {
    return this.#enqueue(undefined);
  }

  #enqueue(change: Edit<Document>["change"]): Promise<void> {
    const written = Promise.withResolvers<void>();
    this.#waiting.push({ change, written });
    this.#writing ??= this.#writeAll();
    return written.promise;
  }

  /** Resolves when nothing is being written any more. Failures are told to those who edited. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Edits of the same turn belong into the same write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const accepted = await this.#locked(() => this.#writeBatch(batch));
        for (const { written } of accepted) written.resolve();
      } catch (error) {
        this.#known = undefined;
        for (const { written } of batch) written.reject(error);
      }
    }
    // In the same turn as the last look, so that no edit can come between the two and find nobody to write it.
    this.#writing = undefined;
  }

  /** Edits that throw are rejected by themselves; the others are written. */
  async #writeBatch(batch: readonly Edit<Document>[]): Promise<Edit<Document>[]> {
    await requireWritable(this.path);
    if (!this.#isTidy) await removeLeftovers(this.path);
    this.#isTidy = true;
    const before = await readIfPresent(this.path);
    const document = this.#known !== undefined && this.#known.text === before
      ? this.#known.document
      : this.#options.parse(before);
    // It changes now: who looks meanwhile is to see what is on disk.
    this.#known = undefined;
    const accepted = batch.filter(({ change, written }) => {
      try {
        change?.(document);
        return true;
      } catch (error) {
        written.reject(error);
        return false;
      }
    });
    const isChanged = accepted.some(({ change }) => change !== undefined);
    const text = isChanged ? this.#options.serialize(document) : before;
    if (text !== undefined && text !== before) await writeFileAtomically(this.path, text);
    else if (accepted.some(({ change }) => change === undefined)) await tryToWrite(this.path);
    // A change that threw may have touched the document before.
    this.#known = accepted.length === batch.length ? { text, document } : undefined;
    return accepted;
  }

  /** Beside what the path leads to: whoever comes over another link must find the same lock. */
  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const target = await resolveLink(this.path);
    const options = { lockFile: `${target}.lock`, ownerOf: target, timeoutMs: lockTimeoutMs };
    return await withFileLock(work, options);
  }
}

/** Who saves a file in place empties it first: what is empty is looked at again before it is taken for that. */
const EMPTY_LOOKS = 4;
const EMPTY_PAUSE_MS = 50;

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    let text = await readUtf8(path);
    for (let look = 1; text === "" && look < EMPTY_LOOKS; look++) {
      await new Promise((resolve) => setTimeout(resolve, EMPTY_PAUSE_MS));
      text = await readUtf8(path);
    }
    return text;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // What a link leads to was there once: its disk may not be mounted, and what was in it is not gone for good.
    if (await isLink(path)) throw error;
    return undefined;
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Root, and who owns the folder, could replace a file that its owner has made read-only; the mode is respected. */
async function requireWritable(path: string): Promise<void> {
  try {
    const { mode } = await Deno.stat(path);
    if (mode === null || (mode & 0o222) !== 0) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  throw new Deno.errors.PermissionDenied(`Cannot write "${path}": it is read-only`);
}
