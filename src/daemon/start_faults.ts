/** What keeps a daemon from starting although its settings are right by themselves. `check` finds the same. */

import { createPrivateKey } from "node:crypto";
import type { Account } from "../accounts/account.ts";
import { RotatedTokens } from "../accounts/rotated_tokens.ts";
import { loadSecretBox } from "../accounts/secret_box.ts";
import { findAdminToken } from "../admin/admin_token.ts";
import { checkFiles } from "../config/check_files.ts";
import { checkAccountsFile, checkLogFile, checkStateFolder } from "../config/check_places.ts";
import { ConfigError, type Finding } from "../config/config_error.ts";
import { readSmallFile, UnfitFileError, whyUnread } from "../config/read_small_file.ts";
import type { Endpoint, Settings } from "../config/settings.ts";
import { checkPairs } from "./listener_plans.ts";

/** Variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Refuses what a start or a reload can't use, with all faults together.
 *
 * @throws {ConfigError}
 */
export async function refuseFaults(settings: Settings, accounts: readonly Account[]): Promise<void> {
  refuse([...await checkFiles(settings), ...await findStartFaults(settings, accounts)]);
}

/**
 * Refuses places that a start can't use, before it reads the accounts.
 *
 * @throws {ConfigError}
 */
export async function refusePlaceFaults(settings: Settings, env: Environment): Promise<void> {
  refuse(await findPlaceFaults(settings, env));
}

/**
 * Refuses accounts that can't be read, for what is wrong with their file, its key or the rotated tokens.
 *
 * @throws {ConfigError}
 */
export async function refuseAccountsFaults(settings: Settings, env: Environment): Promise<void> {
  refuse([
    ...await checkAccountsFile(settings),
    ...await checkAccountsKey(env),
    ...await checkRotatedTokens(settings),
  ]);
}

function refuse(findings: readonly Finding[]): void {
  if (findings.length > 0) throw new ConfigError(findings);
}

/** Finds what is wrong between settings, accounts and certificates; files by themselves are `checkFiles`' affair. */
export async function findStartFaults(settings: Settings, accounts: readonly Account[]): Promise<Finding[]> {
  const listeners = settings.adminOnly ? [] : settings.listeners;
  const used = { ...settings, listeners };
  return [
    ...await checkPairs(listeners),
    ...checkDeviceAccounts(used, accounts),
    ...checkAdminPlace(used),
  ];
}

/** Finds what is wrong with the log file, the state folder and what is in it, the accounts file, its key and the admin token. */
export async function findPlaceFaults(settings: Settings, env: Environment): Promise<Finding[]> {
  const state = await checkStateFolder(settings);
  return [
    ...await checkLogFile(settings),
    ...await checkAccountsFile(settings),
    ...await checkAccountsKey(env),
    ...state,
    // Without the folder, what should be in it is no further news.
    ...(state.length > 0
      ? []
      : [...await checkRotatedTokens(settings), ...await checkAdminToken(settings, env)]),
  ];
}

/** Finds accounts that can't sign in as an app. The others go on, so they are no reason not to start. */
export async function findKeyFaults(
  { accountsFile }: Settings,
  accounts: readonly Account[],
): Promise<Finding[]> {
  // Thousands of accounts may share one file.
  const files = new Set(accounts.flatMap(({ privateKeyFile }) => privateKeyFile ?? []));
  const faults = new Map(
    await Promise.all([...files].map(async (file) => [file, await keyFault(file)] as const)),
  );
  return accounts.flatMap(({ email, privateKeyFile = "" }) => {
    const fault = faults.get(privateKeyFile);
    return fault === undefined ? [] : [{
      file: accountsFile,
      path: "private_key_file",
      message: `of ${email} names "${privateKeyFile}", which ${fault}: the account can't send`,
      hint: "give a private key in PEM, or the JSON key file of a Google service account",
    }];
  });
}

async function keyFault(path: string): Promise<string | undefined> {
  try {
    const text = await readSmallFile(path);
    const isJson = text.trimStart().startsWith("{");
    createPrivateKey(isJson ? String(JSON.parse(text)["private_key"]) : text);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const kinds = [UnfitFileError, ...Object.values(Deno.errors)];
    // What else went wrong is told by its library in words that may quote the key.
    return kinds.some((kind) => error instanceof kind)
      ? `can't be read: ${whyUnread(error)}`
      : "holds no private key";
  }
}

/** The variable that is looked up last is the one that the key would come from. */
async function checkAccountsKey(env: Environment): Promise<Finding[]> {
  let path = "";
  try {
    await loadSecretBox({ env: (name) => env[path = name] });
    return [];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return [{
      file: "environment",
      path,
      message: `gives no accounts key: ${error.message}`,
      hint: "32 octets in base64 or hexadecimal, as `account encrypt --generate-key` makes them",
    }];
  }
}

async function checkRotatedTokens({ stateDirectory }: Settings): Promise<Finding[]> {
  const tokens = new RotatedTokens(stateDirectory);
  try {
    await tokens.load();
    return [];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return [{
      file: tokens.path,
      path: "",
      message: `can't be used: ${error.message}`,
      hint:
        "bring it back from a backup, or move it away and authorize again the accounts that then can't send",
    }];
  }
}

async function checkAdminToken({ admin, stateDirectory }: Settings, env: Environment): Promise<Finding[]> {
  try {
    await findAdminToken({ settings: admin, env, stateDirectory });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [...error.findings];
  }
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
