/** What keeps a daemon from starting although its settings are right by themselves. `check` finds the same. */

import type { Account } from "../accounts/account.ts";
import { checkFiles } from "../config/check_files.ts";
import { ConfigError, type Finding } from "../config/config_error.ts";
import type { Endpoint, Settings } from "../config/settings.ts";
import { checkPairs } from "./listener_plans.ts";

/**
 * Refuses what a start or a reload can't use, with all faults together.
 *
 * @throws {ConfigError}
 */
export async function refuseFaults(settings: Settings, accounts: readonly Account[]): Promise<void> {
  const used = settings.adminOnly ? { ...settings, listeners: [] } : settings;
  const findings = [...await checkFiles(used), ...await findStartFaults(used, accounts)];
  if (findings.length > 0) throw new ConfigError(findings);
}

/** Finds what is wrong between settings, accounts and certificates; files by themselves are `checkFiles`' affair. */
export async function findStartFaults(settings: Settings, accounts: readonly Account[]): Promise<Finding[]> {
  return [
    ...await checkPairs(settings.listeners),
    ...checkDeviceAccounts(settings, accounts),
    ...checkAdminPlace(settings),
  ];
}

/** A listener's account must be there, or every message that comes to it would wait. */
function checkDeviceAccounts(settings: Settings, accounts: readonly Account[]): Finding[] {
  const emails = new Set(accounts.map(({ email }) => email.toLowerCase()));
  return settings.listeners.flatMap(({ account }, index) => {
    if (account === undefined || emails.has(account.toLowerCase())) return [];
    return [{
      file: settings.configFile ?? "config.json",
      path: `listeners[${index}].account`,
      message: `there is no account "${account}"`,
      hint: "add it to the accounts file, or take it out of the listener",
    }];
  });
}

function checkAdminPlace({ listeners, admin, configFile }: Settings): Finding[] {
  return listeners.flatMap((listener, index) => {
    if (!isTakenBy(listener, admin)) return [];
    return [{
      file: configFile ?? "config.json",
      path: `listeners[${index}].port`,
      message: `is taken by the admin API, which is at ${admin.hostname} port ${admin.port}`,
      hint: "give one of them another port: in config.json, or with --port or --admin-port",
    }];
  });
}

function isTakenBy(a: Endpoint, b: Endpoint): boolean {
  return a.port !== 0 && a.port === b.port &&
    (a.hostname === b.hostname || covers(a.hostname, b.hostname) || covers(b.hostname, a.hostname));
}

/** Whether one is every address of the other's family. */
function covers(every: string, hostname: string): boolean {
  if (every === "0.0.0.0") return !hostname.includes(":");
  return every === "::" && hostname.includes(":");
}
