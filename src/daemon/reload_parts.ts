/** What a reload reads anew: settings, accounts, certificates, log. Everything is checked before anything changes. */

import type { ResolveProvider } from "../accounts/account_from_record.ts";
import type { PreparedAccounts } from "../accounts/account_store.ts";
import { ConfigError, formatFinding } from "../config/config_error.ts";
import type { LoadedSettings } from "../config/load_settings.ts";
import { resolveProvider } from "../config/resolve_provider.ts";
import type { LogSettings, Settings } from "../config/settings.ts";
import type { PreparedReload, ReloadPart } from "../lifecycle/reload.ts";
import { abortable } from "../waiting/abortable.ts";
import { withTimeout } from "../waiting/with_timeout.ts";
import type { ListenerPlan } from "../submission/submission_server.ts";
import type { Log } from "../telemetry/log.ts";
import type { Daemon } from "./daemon.ts";
import { listenAnew, refuseMoves } from "./listener_moves.ts";
import { planListeners } from "./listener_plans.ts";
import { providersOf, readAuthorities } from "./mailbox_directory.ts";
import { refuseFaults } from "./start_faults.ts";

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
 * @param load Reads options, environment and a config.json as the start did; nothing: the one that there is.
 */
export function reloadParts(daemon: Daemon, load: LoadSettings): ReloadPart[] {
  return [{ name: "settings", prepare: (signal) => withinTime(prepare(daemon, load), signal) }];
}

/** Reading may hang, as on a pipe that nobody writes to, or a share that is away; a stop waits for the end of reloads. */
async function withinTime(prepared: Promise<PreparedReload>, signal: AbortSignal): Promise<PreparedReload> {
  try {
    return await withTimeout((limited) => abortable(prepared, limited), { signal, timeoutMs: READING_MS });
  } catch (error) {
    // It may still come to its end, and nobody waits for it.
    prepared.then((late) => late.discard?.(), () => {});
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
    throw new Error(
      `Config, accounts and certificates were not read within ${
        READING_MS / 1000
      } s: see whether their folders can be reached`,
      { cause: error },
    );
  }
}

/** More than disks take, and less than systemd waits for the end of a reload (`TimeoutStartSec=`, 90 s). */
const READING_MS = 30_000;

type LoadSettings = (configFile: string | undefined) => Promise<LoadedSettings>;

async function prepare(daemon: Daemon, load: LoadSettings): Promise<PreparedReload> {
  // Looked for anew, a file that is away for a moment would put another in its place, or the defaults.
  const { settings, warnings } = await load(daemon.settings.configFile);
  const accounts = await daemon.store.prepareReload({ resolveProvider: resolverOf(settings.providers) });
  try {
    return await prepareWith(daemon, { settings, warnings, accounts });
  } catch (error) {
    accounts.discard();
    throw error;
  }
}

interface Read extends LoadedSettings {
  readonly accounts: PreparedAccounts;
}

async function prepareWith(daemon: Daemon, { settings, warnings, accounts }: Read): Promise<PreparedReload> {
  const log = daemon.log.logger.getChild("lifecycle");
  const before = daemon.settings;
  await refuseFaults(settings, accounts.accounts);
  const plans = settings.adminOnly ? [] : await planListeners(settings.listeners);
  if (!before.adminOnly) refuseMoves(plans, { file: settings.configFile, held: daemon.submission.listeners });
  const authorities = await readAuthorities(providersOf(settings, accounts.accounts));
  for (const warning of [...warnings, ...accounts.warnings]) log.warn(formatFinding(warning));
  return {
    difference: difference(before, settings, accounts.difference),
    async apply() {
      await changeOutside(daemon, settings, plans);
      accounts.apply();
      daemon.settings = { ...settings, ...pick(before, FIXED) };
      daemon.accountsChanged(authorities);
      daemon.tokens.retryRefused();
      daemon.warmUp();
      for (const key of changedKeys(before, settings)) {
        log.warn("{setting} has changed and is taken at the next start", { setting: key });
      }
    },
    discard: () => accounts.discard(),
  };
}

/**
 * The store keeps the resolver until the next reload. Made inside `prepare`, it would keep all that `apply` uses too: the
 * accounts of the reload before, with their resolver, and so those of every reload.
 */
function resolverOf(providers: Settings["providers"]): ResolveProvider {
  return (name, overrides) => resolveProvider(providers, name, overrides);
}

/** Both or neither: the log changes first, since it can be put back. */
async function changeOutside(
  daemon: Daemon,
  settings: Settings,
  plans: readonly ListenerPlan[],
): Promise<void> {
  const { log, submission, settings: before } = daemon;
  await log.reconfigure(settings.log);
  try {
    if (!before.adminOnly) await listenAnew(submission, plans);
  } catch (error) {
    await putBack(log, before.log);
    throw error;
  }
}

async function putBack(log: Log, settings: LogSettings): Promise<void> {
  try {
    await log.reconfigure(settings);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const finding of error.findings) {
      log.logger.getChild("lifecycle").error("The log stays where the refused reload has put it: {finding}", {
        finding: formatFinding(finding),
      });
    }
  }
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
