import { legacyAccountKeys } from "../account_schema.ts";
import type { AccountRecord } from "../account_schema.ts";
import { parseAccountsDocument, type RawRecord } from "../accounts_file.ts";
import type { ImportedAccounts } from "./imported_accounts.ts";

/**
 * Reads accounts.json of ProxyPowermtaXOAUTH2. Its fields mean the same here; those without a meaning are kept.
 *
 * @param file Name for messages.
 * @throws {ConfigError} If the text holds no accounts.
 */
export function importProxyPowermta(text: string, file: string): ImportedAccounts {
  const { records } = parseAccountsDocument(text, file);
  const unused = new Set(
    records.flatMap((record) => Object.keys(record).filter((key) => legacyAccountKeys.has(key))),
  );
  return {
    accounts: records.map((record) => withoutBlanks(record) as AccountRecord & RawRecord),
    unmapped: [...unused].map((key) => ({ source: file, message: `"${key}" is kept, and has no effect` })),
  };
}

function withoutBlanks(record: RawRecord): RawRecord {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== "" && value !== null));
}
