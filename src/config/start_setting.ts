/** The settings that an option or an environment variable can give, ahead of config.json. */

import type { LogSettings } from "./settings.ts";

/** Values from the command line or the environment; absent means not given there. */
export interface StartSettings {
  readonly config?: string;
  readonly accounts?: string;
  readonly host?: string;
  readonly port?: number;
  readonly adminHost?: string;
  readonly adminPort?: number;
  readonly adminOnly?: boolean;
  readonly dryRun?: boolean;
  /** Seconds. */
  readonly shutdownTimeout?: number;
  readonly logLevel?: LogSettings["level"];
  readonly logFormat?: LogSettings["format"];
  readonly logFile?: string;
  readonly sandbox?: boolean;
  readonly takeOver?: boolean;
}

/** One start setting: its names, and how its text becomes a value. */
export interface StartSetting {
  readonly key: keyof StartSettings;
  /** Long option, such as `--admin-port`. */
  readonly option: string;
  /** Environment variable, such as `XOAUTH2_ADMIN_PORT`. */
  readonly variable: string;
  /** Placeholder of the value in the help; absent for a switch. */
  readonly placeholder?: string;
  readonly description: string;
  /** The value of a text; nothing if there is none. */
  readonly parse: (text: string) => string | number | boolean | undefined;
  /** Completes "must be …". */
  readonly expected: string;
}

const switchWords: ReadonlyMap<string, boolean> = new Map([
  ...["1", "true", "yes", "on"].map((word) => [word, true] as const),
  ...["0", "false", "no", "off"].map((word) => [word, false] as const),
]);

const levels = ["trace", "debug", "info", "warning", "error", "fatal"] as const;

function setting(
  option: string,
  rest: Omit<StartSetting, "key" | "option" | "variable">,
): StartSetting {
  const words = option.slice(2).split("-");
  const camel = words.map((word, index) => index === 0 ? word : `${word[0]?.toUpperCase()}${word.slice(1)}`);
  return {
    key: camel.join("") as keyof StartSettings,
    option,
    variable: `XOAUTH2_${words.join("_").toUpperCase()}`,
    ...rest,
  };
}

function text(option: string, placeholder: string, description: string): StartSetting {
  return setting(option, {
    placeholder,
    description,
    parse: (value) => value || undefined,
    expected: "text",
  });
}

function toggle(option: string, description: string): StartSetting {
  return setting(option, {
    description,
    parse: (value) => switchWords.get(value.toLowerCase()),
    expected: "true or false",
  });
}

function port(option: string, description: string): StartSetting {
  return setting(option, {
    placeholder: "PORT",
    description,
    parse: (value) => /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined,
    expected: "a port from 0 to 65535",
  });
}

function choice(option: string, words: readonly string[], description: string): StartSetting {
  return setting(option, {
    placeholder: option.slice(2).split("-").at(-1)?.toUpperCase() ?? "",
    description,
    parse: (value) => words.find((word) => word === value.toLowerCase()),
    expected: `one of ${words.join(", ")}`,
  });
}

/** Every option of `start`, in the order of its help. */
export const startSettings: readonly StartSetting[] = [
  text("--config", "FILE", "settings (default: ./config.json, then the platform's place)"),
  text("--accounts", "FILE", "accounts (default: ./accounts.json, then the platform's place)"),
  text("--host", "HOST", "address of the first listener (default: 127.0.0.1)"),
  port("--port", "port of the first listener, 0 for a free one (default: 2525)"),
  text("--admin-host", "HOST", "address of the admin API and page (default: 127.0.0.1)"),
  port("--admin-port", "port of the admin API and page, 0 for a free one (default: 9090)"),
  toggle("--admin-only", "no SMTP listener and no pool; the admin API works in full"),
  toggle("--dry-run", "go up to the provider's answer to RCPT, and send nothing"),
  setting("--shutdown-timeout", {
    placeholder: "SECONDS",
    description: "the longest that a stop may take (default: 10)",
    parse: (value) => /^\d+(\.\d+)?$/.test(value) && Number(value) <= 604_800 ? Number(value) : undefined,
    expected: "a number of seconds from 0 to 604800",
  }),
  choice("--log-level", levels, `${levels.join(", ")} (default: info)`),
  choice("--log-format", ["text", "json"], "text or json (default: text on a terminal, else json)"),
  text("--log-file", "FILE", "write the log there, rotated by size (default: standard error)"),
  toggle("--sandbox", "start an embedded provider with one ready account, and print how to send to it"),
  toggle("--take-over", "replace the running daemon without a refused connection (Linux)"),
];
