/** What a reload reads anew: settings, accounts, certificates, log. Everything is checked before anything changes. */

import type { Account } from "../accounts/account.ts";
import { ConfigError, formatFinding } from "../config/config_error.ts";
import type { LoadedSettings } from "../config/load_settings.ts";
import { resolveProvider } from "../config/resolve_provider.ts";
import type { Settings } from "../config/settings.ts";
import type { PreparedReload, ReloadPart } from "../lifecycle/reload.ts";
import type { Daemon } from "./daemon.ts";
import { planListeners } from "./listener_plans.ts";
import { providersOf, readAuthorities } from "./mailbox_directory.ts";

/** Settings that are taken at start only; a reload that changes one says so. */
const FIXED: readonly (keyof Settings)[] = [
  "admin",
  "submission",
  "accountsFile",
  "stateDirectory",
  "adminOnly",
  "sandbox",
];

/**
 * The one part: accounts depend upon providers, listeners upon accounts, so they change together.
 *
 * @param load Reads options, environment and config.json as the start did.
 */
export function reloadParts(daemon: Daemon, load: () => Promise<LoadedSettings>): ReloadPart[] {
  return [{ name: "settings", prepare: () => prepare(daemon, load) }];
}

async function prepare(daemon: Daemon, load: () => Promise<LoadedSettings>): Promise<PreparedReload> {
  const log = daemon.log.logger.getChild("lifecycle");
  const { settings, warnings } = await load();
  const before = daemon.settings;
  const accounts = await daemon.store.prepareReload({
    resolveProvider: (name, overrides) => resolveProvider(settings.providers, name, overrides),
  });
  const plans = settings.adminOnly ? [] : await planListeners(settings.listeners);
  checkDeviceAccounts(settings, accounts.accounts);
  const authorities = await readAuthorities(providersOf(settings, accounts.accounts));
  for (const warning of [...warnings, ...accounts.warnings]) log.warn(formatFinding(warning));
  return {
    difference: difference(before, settings, accounts.difference),
    async apply() {
      // First what can fail: a port that is taken, a log file that can't be opened.
      if (!before.adminOnly) await daemon.submission.listen(plans);
      await daemon.log.reconfigure(settings.log);
      accounts.apply();
      daemon.settings = { ...settings, ...pick(before, FIXED) };
      daemon.accountsChanged(authorities);
      daemon.warmUp();
      for (const key of changedKeys(before, settings)) {
        log.warn("{setting} has changed and is taken at the next start", { setting: key });
      }
    },
  };
}

/** A listener's account must be there, or every message that comes to it would wait. */
export function checkDeviceAccounts(settings: Settings, accounts: readonly Account[]): void {
  const emails = new Set(accounts.map(({ email }) => email.toLowerCase()));
  const findings = settings.listeners.flatMap(({ account }, index) => {
    if (account === undefined || emails.has(account.toLowerCase())) return [];
    return [{
      file: settings.configFile ?? "config.json",
      path: `listeners[${index}].account`,
      message: `there is no account "${account}"`,
      hint: "add it to the accounts file, or take it out of the listener",
    }];
  });
  if (findings.length > 0) throw new ConfigError(findings);
}

function difference(
  before: Settings,
  after: Settings,
  accounts: unknown,
): Record<string, unknown> | undefined {
  const keys = (Object.keys(after) as (keyof Settings)[]).filter((key) => !isSame(before[key], after[key]));
  const result = {
    ...(keys.length > 0 && { settings: keys }),
    ...(accounts !== undefined && { accounts }),
  };
  return Object.keys(result).length > 0 ? result : undefined;
}

function changedKeys(before: Settings, after: Settings): (keyof Settings)[] {
  return FIXED.filter((key) => !isSame(before[key], after[key]));
}

function isSame(a: unknown, b: unknown): boolean {
  const plain = (value: unknown) => JSON.stringify(value instanceof Map ? [...value] : value);
  return plain(a) === plain(b);
}

function pick<K extends keyof Settings>(settings: Settings, keys: readonly K[]): Pick<Settings, K> {
  return Object.fromEntries(keys.map((key) => [key, settings[key]])) as Pick<Settings, K>;
}
