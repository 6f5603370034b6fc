import type { Command } from "commander";
import { type AccountWork, addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { inputOf } from "../secret_sources.ts";

interface ImportOptions {
  readonly verify: boolean;
  readonly overwrite?: boolean;
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
  jq '.mailboxes' export.json | xoauth2-proxy account import -

The file is an array of accounts, or {"accounts": [...]}, spelled as in accounts.json; a plain "password" is hashed.
Ends with 1 if some could not be added.`;

/** Adds `account import`. */
export function registerAccountImport(group: Command, context: CommandContext): void {
  const command = group.command("import").description("add all accounts of a file, verified 50 at a time")
    .argument("<file>", 'JSON file; "-" is standard input')
    .option("--no-verify", "don't ask the providers for tokens first")
    .option("--overwrite", "replace accounts that exist")
    .addHelpText("after", examples);
  addAccountOptions(command).action((file: string, options: ImportOptions) =>
    runAccountCommand(command, {
      context,
      async work(work) {
        const records = await readRecords(file, context);
        const results = await importAll(records, { work, options });
        const count = (outcome: ImportResult["outcome"]) =>
          results.filter((result) => result.outcome === outcome).length;
        const failed = count("failed");
        if (!work.json) tellProblems(results, context);
        if (failed > 0) context.finish(1);
        await work.finishEdit(
          { success: failed === 0, results },
          `${count("added")} added, ${count("replaced")} replaced, ${
            count("exists")
          } left as they are, ${failed} failed`,
        );
      },
    })
  );
}

async function readRecords(
  file: string,
  context: CommandContext,
): Promise<readonly Record<string, unknown>[]> {
  const { parseAccountsDocument } = await import("../../accounts/accounts_file.ts");
  const { CommandFailure } = await import("../command_failure.ts");
  if (file === "-") return parseAccountsDocument(await inputOf(context).readAll(), "standard input").records;
  try {
    return parseAccountsDocument(await Deno.readTextFile(file), file).records;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CommandFailure(`Cannot read "${file}": there is no such file`, { cause: error });
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
