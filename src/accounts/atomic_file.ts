/** Files that are always whole: a crash at any instant leaves the old content or the new. */

import { basename, dirname, join } from "node:path";
import { giveOwner } from "./give_owner.ts";

const temporaryEnd = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;
const blockOctets = 4096;
const isWindows = Deno.build.os === "windows";
/** A scanner or another reader may hold a file on Windows for a moment, and renaming over it fails meanwhile. */
const renameRetriesMs = [10, 50, 100, 250, 500];

/**
 * Replaces a file's content: a temporary file in the same folder, fsync, rename, fsync of the folder. Mode 0600; the
 * old file's owner stays, and a new one gets the folder's. A symbolic link stays one.
 *
 * @throws {Error} Of the file system; the old content is then still there.
 */
export async function writeFileAtomically(path: string, content: string): Promise<void> {
  const target = await resolveLink(path);
  const temporary = temporaryFor(target);
  try {
    await writeDurably(temporary, content);
    await giveOwner(temporary, { of: target });
    await rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(target));
}

/**
 * Finds out whether a file's content could be replaced, by writing a block beside it.
 *
 * @throws {Error} Of the file system, if not.
 */
export async function tryToWrite(path: string): Promise<void> {
  const temporary = temporaryFor(await resolveLink(path));
  try {
    await writeDurably(temporary, " ".repeat(blockOctets));
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

/**
 * Removes temporary files that a killed process left beside `path`. Only while no one else can be writing: under the
 * file's lock.
 */
export async function removeLeftovers(path: string): Promise<void> {
  const target = await resolveLink(path);
  const prefix = `.${basename(target)}.`;
  for await (const { name } of Deno.readDir(dirname(target))) {
    // Not those of another file whose name begins like this one's.
    if (!name.startsWith(prefix) || !temporaryEnd.test(name.slice(prefix.length))) continue;
    await Deno.remove(join(dirname(target), name));
  }
}

function temporaryFor(target: string): string {
  return join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`);
}

/** What a path leads to, over all links; the path itself if nothing is there. */
export async function resolveLink(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw error;
  }
}

async function writeDurably(path: string, content: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  const octets = new TextEncoder().encode(content);
  for (let written = 0; written < octets.length;) written += await file.write(octets.subarray(written));
  await file.sync();
}

async function rename(from: string, to: string): Promise<void> {
  for (const pauseMs of isWindows ? renameRetriesMs : []) {
    try {
      return await Deno.rename(from, to);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  await Deno.rename(from, to);
}

/** The rename itself is durable once the folder is; Windows has no such call and does not need it. */
async function syncFolder(path: string): Promise<void> {
  if (isWindows) return;
  using folder = await Deno.open(path);
  await folder.sync();
}
