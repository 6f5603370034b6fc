import type { ImportedAccounts } from "../accounts/import/imported_accounts.ts";
import { CommandFailure } from "./command_failure.ts";

/** The programs whose files `account import` reads. */
export const importFormats = ["accounts", "email-oauth2-proxy", "sasl-xoauth2"] as const;

/** `accounts`: accounts.json of this program or of ProxyPowermtaXOAUTH2. */
export type ImportFormat = typeof importFormats[number];

/** What goes with the file. */
export interface ReadImportOptions {
  /** Name of the file, for messages. */
  readonly file: string;
  /** Default: by the look of the text. */
  readonly format?: ImportFormat | undefined;
  /** JSON object of passwords by e-mail that decrypts tokens of email-oauth2-proxy. */
  readonly passwordsFile?: string | undefined;
  /** sasl-xoauth2.conf. */
  readonly saslConfigFile?: string | undefined;
}

/**
 * Reads the accounts of a file, whichever program wrote it.
 *
 * @throws {ConfigError | CommandFailure} If the file can't be understood or has no account, or one that goes with it can't be
 * read.
 */
export async function readImport(text: string, options: ReadImportOptions): Promise<ImportedAccounts> {
  const { file, format = formatOf(text) } = options;
  const imported = await read(text, { ...options, format });
  // An empty list is a list; other files are taken for something that they are not.
  if (imported.accounts.length > 0 || (format === "accounts" && text.trim() !== "")) return imported;
  const why = imported.unmapped.map(({ source, message }) => `\n  ${source}: ${message}`).join("");
  throw new CommandFailure(
    `Found no account in "${file}", read as a file of ${
      format === "accounts" ? "this program" : format
    }; --from names another program${why}`,
  );
}

async function read(
  text: string,
  { file, format, passwordsFile, saslConfigFile }: ReadImportOptions & { readonly format: ImportFormat },
): Promise<ImportedAccounts> {
  switch (format) {
    case "accounts": {
      const { importProxyPowermta } = await import("../accounts/import/proxy_powermta.ts");
      return importProxyPowermta(text, file);
    }
    case "email-oauth2-proxy": {
      const { importEmailOauth2Proxy } = await import("../accounts/import/email_oauth2_proxy.ts");
      const passwords = passwordsFile === undefined ? {} : { passwords: await readPasswords(passwordsFile) };
      return await importEmailOauth2Proxy(text, { file, ...passwords });
    }
    case "sasl-xoauth2": {
      const { importSaslXoauth2 } = await import("../accounts/import/sasl_xoauth2.ts");
      const config = saslConfigFile === undefined ? {} : { config: await readText(saslConfigFile) };
      return await importSaslXoauth2(text, { file, ...config, readFile: readText });
    }
  }
}

/** JSON is accounts.json; sections are email-oauth2-proxy's; a Postfix map has `host user:file` on its lines. */
function formatOf(text: string): ImportFormat {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) =>
    line !== "" && !/^[#;]/.test(line)
  );
  if (lines.some((line) => /^token_url\s*=/.test(line))) return "email-oauth2-proxy";
  if (lines.length > 0 && lines.every((line) => /^\S+\s+\S+:\/\S+$/.test(line))) return "sasl-xoauth2";
  return "accounts";
}

async function readPasswords(file: string): Promise<ReadonlyMap<string, string>> {
  const { z } = await import("zod");
  const { parseJson } = await import("../config/parse_json.ts");
  const json = parseJson(await readText(file), file);
  const passwords = z.record(z.string(), z.string()).safeParse("value" in json ? json.value : undefined);
  if (passwords.success) return new Map(Object.entries(passwords.data));
  throw new CommandFailure(
    `Cannot read passwords from "${file}": it must be a JSON object of passwords by e-mail`,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandFailure(`Cannot read "${file}": ${error.message}`, { cause: error });
  }
}
