/** Files with keys and certificates that an account names: whatever is wrong with one, the operator reads which and why. */

import { readSmallFile, whyUnread } from "../config/read_small_file.ts";
import { TokenError } from "./token_error.ts";

/** What a file is named by, and what it has to hold. */
export interface KeyFile {
  readonly field: "private_key_file" | "certificate_file";
  readonly path: string;
  /** In words. */
  readonly holds: string;
}

/**
 * Reads a file and makes of its text what `parse` makes.
 *
 * @throws {TokenError} That names field and file. What a library says of a key may quote it, and is left out.
 */
export async function readKeyFile<T>(
  { field, path, holds }: KeyFile,
  parse: (text: string) => T | Promise<T>,
): Promise<T> {
  let reason = `holds no ${holds}`;
  try {
    let text: string;
    try {
      text = await readSmallFile(path);
    } catch (error) {
      reason = `can't be read: ${error instanceof Error ? whyUnread(error) : "unknown"}`;
      throw error;
    }
    return await parse(text);
  } catch {
    // Where it lies is for the operator: clients read the message, and not the remedy.
    throw new TokenError("TOKEN_UNAVAILABLE", `the account's ${field} ${reason}`, {
      remedy: `Make ${path} a ${holds}, readable by this user and without a password`,
      isLocal: true,
    });
  }
}
