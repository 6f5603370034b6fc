import type { Finding } from "./config_error.ts";
import type { Environment } from "./platform_places.ts";
import { type StartSettings, startSettings } from "./start_setting.ts";

/** What the environment gives, and what of it can't be used. */
export interface EnvironmentSettings {
  readonly settings: StartSettings;
  readonly faults: readonly Finding[];
}

/** Reads the `XOAUTH2_…` variables. An empty variable counts as unset. */
export function environmentSettings(env: Environment): EnvironmentSettings {
  const settings: Record<string, string | number | boolean> = {};
  const faults: Finding[] = [];
  for (const { key, variable, option, parse, expected } of startSettings) {
    const text = env[variable];
    if (text === undefined || text === "") continue;
    const value = parse(text);
    if (value === undefined) {
      faults.push({
        file: "environment",
        path: variable,
        message: `must be ${expected}, not "${text.slice(0, 60)}"`,
        hint: `unset it, or see ${option} in the help`,
      });
    } else {
      settings[key] = value;
    }
  }
  return { settings: settings as StartSettings, faults };
}
