import { buildProviders } from "./build_providers.ts";
import { checkConfig } from "./check_config.ts";
import { ConfigError, type Finding } from "./config_error.ts";
import type { Config } from "./config_schema.ts";
import { environmentSettings } from "./environment_settings.ts";
import { fillSettings } from "./fill_settings.ts";
import { isLoopbackHost } from "./loopback_host.ts";
import { parseConfig, type ParsedConfig } from "./parse_config.ts";
import { currentPlatform, type Environment, type Platform, platformPlaces } from "./platform_places.ts";
import { readUtf8 } from "./read_utf8.ts";
import type { PlatformPlaces } from "./platform_places.ts";
import type { Settings } from "./settings.ts";
import type { StartSettings } from "./start_setting.ts";

/** What settings are made of, and how the system is asked. */
export interface LoadSettingsOptions {
  /** From the command line. */
  readonly options: StartSettings;
  readonly env: Environment;
  /** Reads a text file; rejects with `Deno.errors.NotFound` where there is none. Default: `readUtf8`. */
  readonly readFile?: (path: string) => Promise<string>;
  /** Default: the system that this runs on. */
  readonly platform?: Platform;
}

/** Settings, and what an operator should know about them. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly warnings: readonly Finding[];
}

/**
 * Makes the settings of a start or a reload: option over environment over config.json over default.
 *
 * @throws {ConfigError} With every fault found.
 */
export async function loadSettings(sources: LoadSettingsOptions): Promise<LoadedSettings> {
  const { env, readFile = readUtf8, platform = currentPlatform() } = sources;
  const environment = environmentSettings(env);
  const start: StartSettings = { ...environment.settings, ...sources.options };
  const places = platformPlaces(platform, env);
  const search: Search = { places, readFile, cwd: platform.cwd };

  const configFile = await findConfig(start, search);
  const file = configFile?.path ?? "config.json";
  const parsed: ParsedConfig = configFile
    ? parseConfig(configFile.text, file)
    : { config: {}, faults: [], warnings: [] };
  const folder = configFile ? places.dirname(file) : platform.cwd;
  const resolvePath = (path: string) => places.resolve(folder, path);
  const built = buildProviders(parsed.config.providers ?? {}, { file, resolvePath });
  const faults = [
    ...environment.faults,
    ...parsed.faults,
    ...checkConfig(withListener(parsed.config, start), file),
    ...built.faults,
  ];
  if (faults.length > 0) throw new ConfigError(faults, { warnings: parsed.warnings });

  const settings = fillSettings({
    config: parsed.config,
    start,
    platform,
    providers: built.providers,
    stateDirectory: places.stateDirectory,
    accountsFile: await findAccounts(start, { ...search, configFile: configFile?.path, env }),
    resolvePath,
    resolveFromCwd: (path) => places.resolve(platform.cwd, path),
  });
  return {
    settings: configFile ? { ...settings, configFile: configFile.path } : settings,
    warnings: [...parsed.warnings, ...openAdmin(settings, file)],
  };
}

/** The admin API speaks plain HTTP, and its token opens everything. */
function openAdmin({ admin: { hostname } }: Pick<Settings, "admin">, file: string): Finding[] {
  if (isLoopbackHost(hostname)) return [];
  return [{
    file,
    path: "admin.host",
    message: `is ${hostname}: other machines reach the admin API, and its token crosses the network in clear`,
    hint: "have it on 127.0.0.1, or behind a proxy that speaks TLS, with a firewall around both",
  }];
}

/** The listeners that will be opened are the ones to check: an option may have moved the first. */
function withListener(config: Config, { host, port }: StartSettings): Config {
  const [first, ...others] = config.listeners ?? [];
  if (!first) return config;
  return {
    ...config,
    listeners: [{ ...first, ...(host && { host }), ...(port === undefined ? {} : { port }) }, ...others],
  };
}

interface Search {
  readonly places: PlatformPlaces;
  readonly readFile: (path: string) => Promise<string>;
  readonly cwd: string;
}

interface FoundFile {
  readonly path: string;
  readonly text: string;
}

async function findConfig(start: StartSettings, search: Search): Promise<FoundFile | undefined> {
  const { places, cwd } = search;
  if (start.config !== undefined) {
    const path = places.resolve(cwd, start.config);
    const text = await readIfThere(path, search);
    if (text === undefined) throw missingConfig(path);
    return { path, text };
  }
  for (const folder of [cwd, ...places.configDirectories]) {
    const path = places.resolve(folder, "config.json");
    const text = await readIfThere(path, search);
    if (text !== undefined) return { path, text };
    if (await isLink(path)) throw danglingLink(path);
  }
  return undefined;
}

/** Somebody wanted settings there: going on without them would be a surprise. */
function danglingLink(path: string): ConfigError {
  const hint = "mend the link, or remove it";
  return new ConfigError([{ file: path, path: "", message: "is a link to a file that isn't there", hint }]);
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

function missingConfig(path: string): ConfigError {
  const hint =
    "put it there, or check --config or XOAUTH2_CONFIG; without either there are built-in defaults";
  return new ConfigError([{ file: path, path: "", message: "does not exist", hint }]);
}

interface AccountsSearch extends Search {
  readonly configFile: string | undefined;
  readonly env: Environment;
}

/** A file that isn't there yet is made beside config.json, in a service's state folder, or in the working folder. */
async function findAccounts(start: StartSettings, search: AccountsSearch): Promise<string> {
  const { places, cwd, configFile, env } = search;
  if (start.accounts !== undefined) return places.resolve(cwd, start.accounts);
  const own = configFile === undefined ? [] : [places.dirname(configFile)];
  for (const folder of [cwd, ...own, ...places.configDirectories]) {
    const path = places.resolve(folder, "accounts.json");
    if (await readIfThere(path, search) !== undefined) return path;
  }
  const home = own[0] ?? (env["STATE_DIRECTORY"] ? places.stateDirectory : cwd);
  return places.resolve(home, "accounts.json");
}

async function readIfThere(path: string, { readFile }: Search): Promise<string | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    if (!(error instanceof Error) || error instanceof ConfigError) throw error;
    const finding = {
      file: path,
      path: "",
      message: `can't be read: ${error.name}`,
      hint: "let the user that the daemon runs as read it",
    };
    throw new ConfigError([finding], { cause: error });
  }
}
