import { z } from "zod";
import type { AccountRecord } from "../account_schema.ts";
import type { RawRecord } from "../accounts_file.ts";
import {
  type ImportedAccounts,
  providerOfHost,
  tokenEndpointFields,
  type Unmapped,
} from "./imported_accounts.ts";

/** What goes with a Postfix password map. */
export interface SaslXoauth2Options {
  /** Name of the map for messages. */
  readonly file: string;
  /** Text of sasl-xoauth2.conf, with the app that token files without one use. */
  readonly config?: string;
  /** Reads a token file. Where Postfix runs in a chroot the caller looks there. */
  readonly readFile: (path: string) => Promise<string>;
}

const settingsSchema = z.object({
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  token_endpoint: z.string().optional(),
  refresh_token: z.string().optional(),
  scope: z.string().optional(),
  user: z.string().optional(),
  proxy: z.string().optional(),
});

type Settings = z.infer<typeof settingsSchema>;

interface MapEntry {
  readonly lookupKey: string;
  readonly user: string;
  readonly tokenFile: string;
}

/**
 * Reads the accounts of sasl-xoauth2: a Postfix password map (`smtp_sasl_password_maps`, as text) and the token files
 * that it names.
 */
export async function importSaslXoauth2(
  text: string,
  options: SaslXoauth2Options,
): Promise<ImportedAccounts> {
  const { file, config = "{}" } = options;
  const unmapped: Unmapped[] = [];
  const accounts: (AccountRecord & RawRecord)[] = [];
  const defaults = parseSettings(config);
  if (defaults === undefined) {
    unmapped.push({ source: "sasl-xoauth2.conf", message: "is not readable as JSON" });
  }
  for (const line of logicalLines(text)) {
    const entry = parseEntry(line);
    if (entry === undefined) {
      unmapped.push({ source: file, message: "a line has no token file: left out" });
      continue;
    }
    const settings = await readTokenFile(entry, options);
    if (typeof settings === "string") unmapped.push({ source: entry.tokenFile, message: settings });
    else mapEntry(entry, { settings: { ...defaults, ...settings }, accounts, unmapped });
  }
  return { accounts, unmapped };
}

/** Lines that begin with white space go on with the line before (Postfix, postmap(1)). */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    if (/^\s/.test(line) && lines.length > 0) lines[lines.length - 1] += ` ${line.trim()}`;
    else lines.push(line);
  }
  return lines;
}

function parseEntry(line: string): MapEntry | undefined {
  const [, lookupKey, user, tokenFile] = /^(\S+)\s+([^:\s]+):(\S.*?)\s*$/.exec(line) ?? [];
  return lookupKey === undefined || user === undefined || tokenFile === undefined
    ? undefined
    : { lookupKey, user, tokenFile };
}

async function readTokenFile(
  { tokenFile }: MapEntry,
  options: SaslXoauth2Options,
): Promise<Settings | string> {
  try {
    return parseSettings(await options.readFile(tokenFile)) ?? "is no token file: left out";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "is not there (look in Postfix's chroot): left out";
    if (error instanceof Deno.errors.PermissionDenied) return "may not be read: left out";
    throw error;
  }
}

function parseSettings(text: string): Settings | undefined {
  try {
    return settingsSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Destination {
  readonly settings: Settings;
  readonly accounts: RawRecord[];
  readonly unmapped: Unmapped[];
}

function mapEntry(
  { lookupKey, user, tokenFile }: MapEntry,
  { settings, accounts, unmapped }: Destination,
): void {
  const say = (message: string) => unmapped.push({ source: tokenFile, message });
  if (accounts.some(({ email }) => email === user)) {
    return void say(`"${user}" stands in the map twice: left out`);
  }
  // Without an endpoint sasl-xoauth2 asks Google.
  const tokenUrl = settings.token_endpoint ?? "https://oauth2.googleapis.com/token";
  const [, hostname = "", port] = /^\[?([^\]:]+)\]?(?::(\d+))?$/.exec(lookupKey) ?? [];
  const provider = providerOfHost(hostname) ?? providerOfHost(URL.parse(tokenUrl)?.hostname ?? "");
  if (provider === undefined) say("its provider is not known: describe it in config.json and set provider");
  if (settings.client_id === undefined) say("no client_id, neither here nor in sasl-xoauth2.conf");
  if (settings.proxy !== undefined) say('"proxy" is left out: set HTTPS_PROXY for the daemon');
  const isUnknownHost = hostname !== "" && !hostname.includes("@") && providerOfHost(hostname) === undefined;
  const record = {
    email: user,
    provider: provider ?? "unknown",
    client_id: settings.client_id,
    client_secret: settings.client_secret || undefined,
    refresh_token: settings.refresh_token,
    ...tokenEndpointFields(tokenUrl),
    scope: settings.scope,
    sasl_user: settings.user,
    oauth_endpoint: isUnknownHost ? `${hostname}:${port ?? 25}` : undefined,
  };
  accounts.push(Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)));
}
