import { giveOwner } from "./give_owner.ts";

/** Time between two tries for a lock that another process holds: a blocking lock could not be given up. */
const retryMs = 15;

/** Which lock, and how long to wait for it. */
export interface FileLockOptions {
  readonly lockFile: string;
  /** The lock's file gets the owner of this one, where that is possible. */
  readonly ownerOf?: string;
  /** How long to wait for another process. */
  readonly timeoutMs: number;
}

/**
 * Runs `work` while this process alone holds an advisory lock. The lock's file stays behind, empty: removing it would
 * let two processes lock two different files. A killed process loses its lock.
 *
 * @throws {Error} If the lock could not be had in time, or of the file system, or what `work` threw.
 */
export async function withFileLock<T>(
  work: () => Promise<T>,
  { lockFile, ownerOf, timeoutMs }: FileLockOptions,
): Promise<T> {
  using file = await Deno.open(lockFile, { create: true, write: true, mode: 0o600 });
  if (ownerOf !== undefined) await giveOwner(lockFile, { of: ownerOf });
  const endMs = performance.now() + timeoutMs;
  while (!await file.tryLock(true)) {
    if (performance.now() > endMs) {
      throw new Error(`Cannot lock "${lockFile}": another process has held it for ${timeoutMs} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  // Closing the file releases the lock everywhere; an explicit unlock before it can fail on Windows.
  return await work();
}
