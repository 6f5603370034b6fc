import { checkHosts, checkLogFolder } from "../config/check_places.ts";
import { ConfigError, formatFinding } from "../config/config_error.ts";
import type { Environment } from "../config/platform_places.ts";
import type { Settings } from "../config/settings.ts";
import { findKeyFaults, findPlaceFaults, findStartFaults } from "../daemon/start_faults.ts";
import type { AccountsReport } from "./check.ts";
import { openStore } from "./local_services.ts";

/** Reads the accounts file that settings name, finds what is wrong between the two, and changes nothing. */
export async function validateAccounts(settings: Settings, env: Environment): Promise<AccountsReport> {
  const placeFaults = [...await findPlaceFaults(settings, env), ...await checkHosts(settings)];
  try {
    const store = await openStore({ settings, env });
    const faults = await findStartFaults(settings, store.list());
    const warnings = [
      ...store.warnings,
      ...await checkLogFolder(settings),
      ...await findKeyFaults(settings, store.list()),
    ];
    return { accounts: store.list().length, faults: [...placeFaults, ...faults], warnings };
  } catch (error) {
    if (error instanceof ConfigError) {
      const said = new Set(placeFaults.map(formatFinding));
      const more = error.findings.filter((finding) => !said.has(formatFinding(finding)));
      return { accounts: 0, faults: [...placeFaults, ...more], warnings: error.warnings };
    }
    if (!(error instanceof Error)) throw error;
    if (placeFaults.length > 0) return { accounts: 0, faults: placeFaults, warnings: [] };
    const finding = {
      file: settings.accountsFile,
      path: "",
      message: `can't be used: ${error.message}`,
      hint: "let the user that the daemon runs as read it, and give the accounts key if it is encrypted",
    };
    return { accounts: 0, faults: [finding], warnings: [] };
  }
}
