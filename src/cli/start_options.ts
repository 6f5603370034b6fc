import { type Command, InvalidArgumentError, Option } from "commander";
import { type StartSetting, type StartSettings, startSettings } from "../config/start_setting.ts";

/** Adds options of `start` to a command; without `keys`, all of them. */
export function addStartOptions(command: Command, keys?: readonly (keyof StartSettings)[]): Command {
  for (const setting of startSettings) {
    if (!keys || keys.includes(setting.key)) command.addOption(optionOf(setting));
  }
  return command;
}

function optionOf({ option, variable, placeholder, description, parse, expected }: StartSetting): Option {
  const flags = placeholder === undefined ? option : `${option} <${placeholder}>`;
  const made = new Option(flags, `${description} [${variable}]`);
  if (placeholder === undefined) return made;
  return made.argParser((text: string) => {
    const value = parse(text);
    if (value === undefined) throw new InvalidArgumentError(`It must be ${expected}.`);
    return value;
  });
}

/** What the command line gave of `StartSettings`. */
export function startSettingsOf(command: Command): StartSettings {
  const values = command.opts<Record<string, unknown>>();
  const given = startSettings.filter(({ key }) => values[key] !== undefined).map((
    { key },
  ) => [key, values[key]]);
  return Object.fromEntries(given) as StartSettings;
}
