import { lchown } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Gives a file the owner of another, or of the folder if there is no other yet: root may work on behalf of the daemon, which
 * must be able to open the file afterwards. Whoever can't give files away keeps it, and so does root in a container where the
 * owner isn't mapped. Windows has no such owners. A link is not followed: whoever may write in the folder could have it lead
 * to any file.
 *
 * @throws {Error} Of the file system, if the file or the folder isn't there.
 */
export async function giveOwner(file: string, { of: path }: { readonly of: string }): Promise<void> {
  const [owned, own] = [await statIfPresent(path) ?? await Deno.stat(dirname(path)), await Deno.lstat(file)];
  if (owned.uid === null || owned.gid === null) return;
  if (owned.uid === own.uid && owned.gid === own.gid) return;
  try {
    await lchown(file, owned.uid, owned.gid);
  } catch {
    // The kinds of error differ, and none of them is a reason not to write.
  }
}

async function statIfPresent(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
