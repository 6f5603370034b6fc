import type { Command } from "commander";
import type { Finding } from "../config/config_error.ts";
import type { LoadedSettings } from "../config/load_settings.ts";
import type { Settings } from "../config/settings.ts";
import type { CommandContext } from "./command_context.ts";
import { exitStatus } from "../lifecycle/exit_status.ts";
import { addStartOptions, startSettingsOf } from "./start_options.ts";
import { styled } from "./styled.ts";
import { jsonLine } from "./json_line.ts";

/** What was found in an accounts file. */
export interface AccountsReport {
  /** Number of accounts that can be used. */
  readonly accounts: number;
  readonly faults: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Reads the accounts file that settings name, and changes nothing. */
export type ValidateAccounts = (settings: Settings) => Promise<AccountsReport>;

/** Everything that `check` tells. */
interface CheckReport {
  readonly settings?: Settings;
  readonly accounts?: number;
  readonly faults: readonly Finding[];
  readonly warnings: readonly Finding[];
}

const examples = `
Examples:
  xoauth2-proxy check
  xoauth2-proxy check --config new.json --json

Ends with 0 if the daemon could start with these files, and with 78 if not.`;

/** Adds `check`. */
export function registerCheck(
  program: Command,
  context: CommandContext,
  validateAccounts: ValidateAccounts,
): void {
  const command = program.command("check")
    .description("validate settings and accounts, and change nothing")
    .option("--json", "print JSON")
    .addHelpText("after", examples);
  addStartOptions(command).action(async () => {
    const { runCommand } = await import("./command_failure.ts");
    const { json } = command.opts<{ json?: boolean }>();
    await runCommand(async () => {
      const report = await check(command, context, validateAccounts);
      if (json) context.out(jsonLine(toJson(report)));
      else printReport(report, context);
      context.finish(report.faults.length === 0 ? exitStatus.clean : exitStatus.config);
    }, { context, json });
  });
}

async function check(
  command: Command,
  context: CommandContext,
  validateAccounts: ValidateAccounts,
): Promise<CheckReport> {
  // Loaded here, so that the other commands start without the schemas.
  const { loadSettings } = await import("../config/load_settings.ts");
  const { checkFiles } = await import("../config/check_files.ts");
  const { ConfigError } = await import("../config/config_error.ts");
  let loaded: LoadedSettings;
  try {
    loaded = await loadSettings({ options: startSettingsOf(command), env: context.env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { faults: error.findings, warnings: error.warnings };
  }
  const { settings, warnings } = loaded;
  const fileFaults = await checkFiles(settings);
  const accounts = await validateAccounts(settings);
  return {
    settings,
    accounts: accounts.accounts,
    faults: [...fileFaults, ...accounts.faults],
    warnings: [...warnings, ...accounts.warnings],
  };
}

function toJson({ settings, accounts, faults, warnings }: CheckReport): Record<string, unknown> {
  return {
    valid: faults.length === 0,
    config_file: settings?.configFile ?? null,
    accounts_file: settings?.accountsFile ?? null,
    accounts: accounts ?? null,
    faults,
    warnings,
  };
}

function printReport({ settings, accounts, faults, warnings }: CheckReport, context: CommandContext): void {
  for (const finding of faults) printFinding("fault", finding, context);
  for (const finding of warnings) printFinding("warning", finding, context);
  const counted = `${count(faults, "fault")}, ${count(warnings, "warning")}`;
  if (settings) {
    context.out(`settings  ${settings.configFile ?? "built-in defaults"}`);
    context.out(`accounts  ${settings.accountsFile} (${accounts} usable)`);
  } else {
    context.out("Accounts were not looked at: mend the settings first.");
  }
  const verdict = faults.length === 0 ? "The daemon can start" : "The daemon can't start";
  context.out(styled(`${verdict}: ${counted}`, faults.length === 0 ? "green" : "red", context.isTerminal));
}

function printFinding(
  kind: "fault" | "warning",
  finding: Finding,
  { out, isTerminal }: CommandContext,
): void {
  const label = styled(kind, kind === "fault" ? "red" : "yellow", isTerminal);
  const place = finding.path === "" ? finding.file : `${finding.file}: ${finding.path}`;
  out(`${label}  ${styled(place, "bold", isTerminal)}`);
  out(`  ${finding.message}`);
  if (finding.hint !== "") out(`  ${styled(`hint: ${finding.hint}`, "dim", isTerminal)}`);
  out("");
}

function count(findings: readonly Finding[], noun: string): string {
  return `${findings.length} ${noun}${findings.length === 1 ? "" : "s"}`;
}
