/** From the records of accounts.json to accounts, with every fault found on the way. */

import { ConfigError, type Finding } from "../config/config_error.ts";
import { isPlain } from "../config/config_values.ts";
import { joinPath, keepKnownKeys } from "../config/known_keys.ts";
import type { ProviderSettings } from "../config/settings.ts";
import type { Account } from "./account.ts";
import { accountFromRecord, type RecordContext, type ResolveProvider } from "./account_from_record.ts";
import { type AccountRecord, accountSchema, legacyAccountKeys } from "./account_schema.ts";
import type { AccountsDocument, RawRecord } from "./accounts_file.ts";

/** A finding inside one record: its path begins at the record. */
export type RecordFinding = Omit<Finding, "file">;

/** What checking a whole file needs. */
export interface ParseAccountsOptions extends RecordContext {
  /** Name of the file, for findings. */
  readonly file: string;
}

/** Accounts in the order of the file, and what looked odd. */
export interface ParsedAccounts {
  readonly accounts: readonly Account[];
  readonly warnings: readonly Finding[];
}

/** One account, or the faults of its record. */
export interface ParsedRecord {
  readonly account: Account | undefined;
  readonly faults: readonly RecordFinding[];
  readonly warnings: readonly RecordFinding[];
}

/**
 * Checks a whole accounts.json.
 *
 * @throws {ConfigError} With the faults of all records, two accounts with one e-mail or user name among them.
 */
export function parseAccounts(document: AccountsDocument, options: ParseAccountsOptions): ParsedAccounts {
  const faults: Finding[] = [];
  const warnings: Finding[] = [];
  const accounts: Account[] = [];
  const names = new Map<string, string>();
  const context = { ...options, resolveProvider: remembering(options.resolveProvider) };
  document.records.forEach((record, index) => {
    const path = document.pathOf(index);
    const place = ({ path: key, ...rest }: RecordFinding) => ({
      file: options.file,
      path: join(path, key),
      ...rest,
    });
    const parsed = parseRecord(record, context);
    faults.push(...parsed.faults.map(place));
    warnings.push(...parsed.warnings.map(place));
    if (parsed.account === undefined) return;
    accounts.push(parsed.account);
    faults.push(...claimNames(parsed.account, { names, path }).map(place));
  });
  if (faults.length > 0) throw new ConfigError(faults);
  return { accounts, warnings };
}

/** Accounts with the same overrides share one settings object, ten thousand of them as well as two. */
function remembering(resolve: ResolveProvider): ResolveProvider {
  const known = new Map<string, ProviderSettings>();
  return (name, overrides) => {
    const key = JSON.stringify([name, overrides]);
    const settings = known.get(key) ?? resolve(name, overrides);
    known.set(key, settings);
    return settings;
  };
}

/** Checks one record. */
export function parseRecord(raw: RawRecord, options: RecordContext): ParsedRecord {
  const warnings = misspelledKeys(raw);
  const parsed = accountSchema.safeParse(withoutBlanks(raw));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => ({
      path: issue.path.reduce<string>((path, key) => joinPath(path, String(key)), ""),
      message: issue.code === "invalid_type"
        ? `must be ${issue.expected}`
        : missingOr(issue.message, raw, issue.path),
      hint: issue.code === "custom" ? String(issue.params?.["hint"] ?? "") : "",
    }));
    return { account: undefined, faults, warnings };
  }
  const faults = crossFaults(parsed.data);
  if (faults.length > 0) return { account: undefined, faults, warnings };
  return { warnings: [...warnings, ...oddities(parsed.data)], ...resolveRecord(parsed.data, options) };
}

function resolveRecord(
  record: AccountRecord,
  options: RecordContext,
): Pick<ParsedRecord, "account" | "faults"> {
  try {
    return { account: accountFromRecord(record, options), faults: [] };
  } catch (error) {
    if (!(error instanceof Error) || !("field" in error)) throw error;
    const hint = "hint" in error ? String(error.hint) : "";
    return { account: undefined, faults: [{ path: String(error.field), message: error.message, hint }] };
  }
}

/** The Python program writes empty text where there is nothing. */
function withoutBlanks(raw: RawRecord): RawRecord {
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== "" && value !== null));
}

function missingOr(message: string, raw: RawRecord, path: readonly PropertyKey[]): string {
  const [key] = path;
  const isMissing = path.length === 1 && key !== undefined && (raw[String(key)] ?? "") === "";
  return isMissing ? `is missing, and ${message}` : message;
}

/** What the grants need beside themselves. */
function crossFaults(record: AccountRecord): RecordFinding[] {
  const { grant = "refresh_token", client_id, client_secret, private_key_file, certificate_file } = record;
  const faults: RecordFinding[] = [];
  if (client_id === undefined && grant !== "service_account") {
    faults.push({
      path: "client_id",
      message: "is missing",
      hint: "it identifies the app registered with the provider",
    });
  }
  if (grant === "service_account" && private_key_file === undefined) {
    faults.push({
      path: "private_key_file",
      message: 'is missing, and grant is "service_account"',
      hint: "give the JSON key file that Google issued",
    });
  }
  if (record.sasl_user !== undefined && !isPlain(record.sasl_user)) {
    faults.push({
      path: "sasl_user",
      message: "must be text without control characters",
      hint: "it goes into XOAUTH2, where they end a field",
    });
  }
  const hasCertificate = private_key_file !== undefined && certificate_file !== undefined;
  if (grant === "client_credentials" && client_secret === undefined && !hasCertificate) {
    faults.push({
      path: "client_secret",
      message: 'is missing, and grant is "client_credentials"',
      hint: "give it, or private_key_file and certificate_file",
    });
  }
  return faults;
}

function oddities(record: AccountRecord): RecordFinding[] {
  const { grant = "refresh_token", refresh_token } = record;
  if (grant !== "refresh_token" || refresh_token !== undefined) return [];
  return [{
    path: "refresh_token",
    message: "is missing: the account can't send yet",
    hint: "run `account authorize`, or use the page",
  }];
}

/** Unknown keys are the operator's own, unless they look like a slip. */
function misspelledKeys(raw: RawRecord): RecordFinding[] {
  return keepKnownKeys(raw, accountSchema).unknown.flatMap(({ path, nearest }) =>
    nearest === undefined || legacyAccountKeys.has(path)
      ? []
      : [{ path, message: "is unknown", hint: `did you mean "${nearest}"?` }]
  );
}

function claimNames(
  account: Account,
  { names, path }: { readonly names: Map<string, string>; readonly path: string },
): RecordFinding[] {
  const claim = (key: "email" | "username") => {
    const name = `${key} ${account[key].toLowerCase()}`;
    const holder = names.get(name);
    names.set(name, holder ?? path);
    return { path: key, holder };
  };
  const [email, username] = [claim("email"), claim("username")];
  // Two accounts with one e-mail have the same user name by default; one finding says it.
  const isEcho = account.username === account.email && username.holder === email.holder;
  return [email, ...(isEcho ? [] : [username])].flatMap(({ path: key, holder }) =>
    holder === undefined
      ? []
      : [{ path: key, message: `is the same as that of ${holder}`, hint: "each account needs its own" }]
  );
}

function join(path: string, key: string): string {
  return key === "" ? path : `${path}.${key}`;
}
