/** The bearer token of the admin API: where it comes from, and how the first one is made. */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { writeFileAtomically } from "../accounts/atomic_file.ts";
import { ConfigError } from "../config/config_error.ts";
import type { AdminSettings } from "../config/settings.ts";

/** Where a token may be. The first of these that there is counts. */
export interface AdminTokenSources {
  /** `tokenFile` comes first. */
  readonly settings: Pick<AdminSettings, "tokenFile">;
  /** Then `XOAUTH2_ADMIN_TOKEN`, then the credential `admin_token` of systemd (`CREDENTIALS_DIRECTORY`). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Then the file `admin_token` in this folder. */
  readonly stateDirectory: string;
}

/** A token and where it was found. */
export interface AdminToken {
  /** A secret. */
  readonly value: string;
  /** A file, or the name of a variable. */
  readonly place: string;
  readonly isFile: boolean;
}

const tokenOctets = 32;

/** The file that holds the token when nothing else does. */
export function adminTokenFile(stateDirectory: string): string {
  return join(stateDirectory, "admin_token");
}

/**
 * Looks for the token.
 *
 * @returns Nothing if there is none yet.
 * @throws {ConfigError} If a place that was named can't be read or holds no token.
 */
export async function findAdminToken(sources: AdminTokenSources): Promise<AdminToken | undefined> {
  const { settings: { tokenFile }, env, stateDirectory } = sources;
  if (tokenFile !== undefined) return await readNamed(tokenFile);
  const variable = env["XOAUTH2_ADMIN_TOKEN"];
  if (variable) return { ...checked(variable, "XOAUTH2_ADMIN_TOKEN"), isFile: false };
  const credentials = env["CREDENTIALS_DIRECTORY"];
  const credential = credentials ? await readIfThere(join(credentials, "admin_token")) : undefined;
  return credential ?? await readIfThere(adminTokenFile(stateDirectory));
}

/**
 * Looks for the token, and makes one in the state folder if there is none: 256 random bits in a file of mode 0600.
 *
 * @throws {ConfigError} As `findAdminToken`.
 * @throws {Error} If the file can't be written.
 */
export async function loadAdminToken(sources: AdminTokenSources): Promise<AdminToken> {
  const found = await findAdminToken(sources);
  if (found) return found;
  const place = adminTokenFile(sources.stateDirectory);
  const value = randomBytes(tokenOctets).toString("base64url");
  await Deno.mkdir(sources.stateDirectory, { recursive: true, mode: 0o700 });
  await writeFileAtomically(place, `${value}\n`);
  return { value, place, isFile: true };
}

async function readNamed(file: string): Promise<AdminToken> {
  try {
    return checked(await Deno.readTextFile(file), file);
  } catch (error) {
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    throw unusable(file, `can't be read: ${error.name}`, { cause: error });
  }
}

async function readIfThere(file: string): Promise<AdminToken | undefined> {
  try {
    const text = await Deno.readTextFile(file);
    // A full disk may have left an empty file.
    return text.trim() === "" ? undefined : checked(text, file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    throw unusable(file, `can't be read: ${error.name}`, { cause: error });
  }
}

/** What a header field can carry (RFC 6750 §2.1), and nobody guesses. */
function checked(text: string, place: string): AdminToken {
  const value = text.trim();
  if (/^[A-Za-z0-9\-._~+/]{16,512}=*$/.test(value)) return { value, place, isFile: true };
  throw unusable(place, "holds no usable admin token");
}

function unusable(file: string, message: string, options: ErrorOptions = {}): ConfigError {
  const hint = "one line with 16 to 512 characters out of A-Z a-z 0-9 - . _ ~ + /, readable by this user";
  return new ConfigError([{ file, path: "", message, hint }], options);
}
