/** The options of the commands that speak to a running daemon. */

import type { Command } from "commander";
import { ConfigError } from "../config/config_error.ts";
import { environmentSettings } from "../config/environment_settings.ts";
import type { Environment } from "../config/platform_places.ts";
import type { Settings } from "../config/settings.ts";
import { AdminClient } from "./admin_client.ts";
import type { CommandContext } from "./command_context.ts";
import { addStartOptions, startSettingsOf } from "./start_options.ts";

const defaultAdminPort = 9090;

/** What these options give. */
export interface DaemonOptions {
  readonly json?: boolean;
  readonly tokenFile?: string;
}

/** Adds the options that say which daemon. */
export function addDaemonOptions(command: Command): Command {
  return addStartOptions(command, ["config", "adminHost", "adminPort"])
    .option("--token-file <FILE>", "admin token (default: where the daemon looks)")
    .option("--json", "print JSON");
}

/**
 * Loads the settings of a command that needs them.
 *
 * @throws {ConfigError}
 */
export async function loadCommandSettings(command: Command, { env }: CommandContext): Promise<Settings> {
  const { loadSettings } = await import("../config/load_settings.ts");
  const { settings } = await loadSettings({ options: startSettingsOf(command), env });
  return settings;
}

/**
 * The running daemon. A daemon must be stoppable while its config.json is being mended, so a broken one is passed over
 * with a word.
 */
export async function daemonOf(command: Command, context: CommandContext): Promise<AdminClient> {
  const { env } = context;
  const { tokenFile } = command.opts<DaemonOptions>();
  try {
    const settings = await loadCommandSettings(command, context);
    return new AdminClient({ settings, env, tokenFile, portFile: adminPortFile(command, { settings, env }) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { currentPlatform, platformPlaces } = await import("../config/platform_places.ts");
    const { adminHost: hostname = "127.0.0.1", adminPort: port = defaultAdminPort } = {
      ...environmentSettings(env).settings,
      ...startSettingsOf(command),
    };
    context.err(`warning: the configuration has faults (see check); asking ${hostname}:${port}`);
    const { stateDirectory } = platformPlaces(currentPlatform(), env);
    return new AdminClient({
      settings: { admin: { hostname, port, allowedHosts: [] }, stateDirectory },
      env,
      tokenFile,
    });
  }
}

/** The config.json that the admin port comes from; nothing if an option, the environment or the default gives it. */
export function adminPortFile(
  command: Command,
  { settings, env }: { readonly settings: Settings; readonly env: Environment },
): string | undefined {
  const isGiven = startSettingsOf(command).adminPort !== undefined ||
    environmentSettings(env).settings.adminPort !== undefined;
  return isGiven || settings.admin.port === defaultAdminPort ? undefined : settings.configFile;
}
