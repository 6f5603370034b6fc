import { type Command, Option } from "commander";
import type { ImportedAccounts } from "../../accounts/import/imported_accounts.ts";
import { type AccountWork, addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { type ImportFormat, importFormats } from "../read_import.ts";
import { inputOf } from "../secret_sources.ts";

interface ImportOptions {
  readonly verify: boolean;
  readonly overwrite?: boolean;
  readonly from?: ImportFormat;
  readonly passwordsFile?: string;
  readonly saslXoauth2Conf?: string;
}

/** What became of one record. */
interface ImportResult {
  readonly email: string;
  readonly outcome: "added" | "replaced" | "exists" | "failed";
  readonly error?: string;
}

const examples = `
Examples:
  xoauth2-proxy account import accounts.old.json
  xoauth2-proxy account import new.json --overwrite --no-verify
  xoauth2-proxy account import emailproxy.config --passwords-file passwords.json
  xoauth2-proxy account import /etc/postfix/sasl_passwd --sasl-xoauth2-conf /etc/sasl-xoauth2.conf
  jq '.mailboxes' export.json | xoauth2-proxy account import -

Reads accounts.json of this program or of ProxyPowermtaXOAUTH2 (a plain "password" is hashed), emailproxy.config of
email-oauth2-proxy, and a Postfix password map that names token files of sasl-xoauth2. Says what it could not map.
Ends with 1 if some could not be added.`;

/** Adds `account import`. */
export function registerAccountImport(group: Command, context: CommandContext): void {
  const command = group.command("import").description("add all accounts of a file, verified 50 at a time")
    .argument("<file>", 'the file; "-" is standard input')
    .addOption(new Option("--from <FORMAT>", "what wrote it (default: by its look)").choices(importFormats))
    .option(
      "--passwords-file <FILE>",
      "JSON object of passwords by e-mail, to decrypt email-oauth2-proxy's tokens",
    )
    .option("--sasl-xoauth2-conf <FILE>", "the app that token files without one use")
    .option("--no-verify", "don't ask the providers for tokens first")
    .option("--overwrite", "replace accounts that exist")
    .addHelpText("after", examples);
  addAccountOptions(command).action((file: string, options: ImportOptions) =>
    runAccountCommand(command, {
      context,
      async work(work) {
        const { accounts: records, unmapped } = await readFileToImport(file, { context, options });
        const results = await importAll(records, { work, options });
        const count = (outcome: ImportResult["outcome"]) =>
          results.filter((result) => result.outcome === outcome).length;
        const failed = count("failed");
        if (!work.json) {
          for (const { source, message } of unmapped) context.out(`unmapped  ${source}: ${message}`);
          tellProblems(results, context);
        }
        if (failed > 0) context.finish(1);
        await work.finishEdit(
          { success: failed === 0, results, unmapped },
          `${count("added")} added, ${count("replaced")} replaced, ${
            count("exists")
          } left as they are, ${failed} failed`,
        );
      },
    })
  );
}

async function readFileToImport(
  file: string,
  { context, options }: { readonly context: CommandContext; readonly options: ImportOptions },
): Promise<ImportedAccounts> {
  const { readImport } = await import("../read_import.ts");
  const more = {
    format: options.from,
    passwordsFile: options.passwordsFile,
    saslConfigFile: options.saslXoauth2Conf,
  };
  if (file === "-") {
    return await readImport(await inputOf(context).readAll(), { file: "standard input", ...more });
  }
  return await readImport(await readFile(file), { file, ...more });
}

async function readFile(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { CommandFailure } = await import("../command_failure.ts");
    const why = error instanceof Deno.errors.NotFound ? "there is no such file" : error.message;
    throw new CommandFailure(`Cannot read "${file}": ${why}`, { cause: error });
  }
}

async function importAll(
  records: readonly Record<string, unknown>[],
  { work: { services, context }, options }: { readonly work: AccountWork; readonly options: ImportOptions },
): Promise<ImportResult[]> {
  const { admissionOf } = await import("../add_account.ts");
  const { inParallel } = await import("../../verification/in_parallel.ts");
  const { ProgressBar } = await import("../progress_bar.ts");
  const { importRecord } = await import("../import_record.ts");
  const admission = admissionOf(services);
  using progress = new ProgressBar(records.length, context);
  return await inParallel(records, async (record) => {
    const result = await importRecord(record, {
      admission,
      verify: options.verify,
      overwrite: options.overwrite ?? false,
    });
    progress.advance();
    return result;
  });
}

function tellProblems(results: readonly ImportResult[], { out }: CommandContext): void {
  for (const { email, outcome, error } of results) {
    if (outcome === "failed") out(`failed  ${email}: ${error}`);
    if (outcome === "exists") out(`exists  ${email} (--overwrite replaces it)`);
  }
}
