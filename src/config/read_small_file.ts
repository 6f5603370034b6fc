/** A bundle of all public authorities has a quarter of that. */
const mostOctets = 2 ** 20;

/** What a path leads to can't be a file of keys or certificates. */
export class UnfitFileError extends Error {
  override readonly name = "UnfitFileError";
}

/**
 * Reads a file of keys or certificates. A device or a pipe may have no end, or keep the reader waiting for ever.
 *
 * @throws {UnfitFileError} If it is no regular file, or too large.
 * @throws {Error} Of the file system.
 */
export async function readSmallFile(path: string): Promise<string> {
  const { isFile, size } = await Deno.stat(path);
  if (!isFile) throw new UnfitFileError("it is no regular file");
  if (size > mostOctets) throw new UnfitFileError("it is larger than 1 MiB");
  return await Deno.readTextFile(path);
}

/** Why a file couldn't be read, in words without its content. */
export function whyUnread(error: Error): string {
  return error instanceof UnfitFileError ? error.message : error.name;
}
