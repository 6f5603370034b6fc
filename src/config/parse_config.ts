import type { Finding } from "./config_error.ts";
import { type Config, configSchema } from "./config_schema.ts";
import { joinPath, keepKnownKeys, type UnknownKey } from "./known_keys.ts";
import { isLegacyKey } from "./legacy_keys.ts";
import { parseJson } from "./parse_json.ts";

/** config.json, read. */
export interface ParsedConfig {
  /** What is free of faults, so that rules between keys can be checked all the same. */
  readonly config: Config;
  /** Wrong values. */
  readonly faults: readonly Finding[];
  /** Unknown keys, and one notice for all that only the Python program knows. */
  readonly warnings: readonly Finding[];
}

/** Reads the text of config.json and validates each value by itself; rules between values are `checkConfig`'s. */
export function parseConfig(text: string, file: string): ParsedConfig {
  const json = parseJson(text, file);
  if ("finding" in json) return { config: {}, faults: [json.finding], warnings: [] };
  const { value, unknown } = keepKnownKeys(json.value, configSchema);
  const warnings = warnAbout(unknown, file);
  const result = configSchema.safeParse(value);
  if (result.success) return { config: result.data, faults: [], warnings };
  const faults = result.error.issues.map((issue) => explain(issue, value, file));
  const config = configSchema.parse(withoutFaulty(value, result.error.issues));
  return { config, faults, warnings };
}

/** Takes out each listener, provider or section that has a fault. An empty listener keeps the others' numbers. */
function withoutFaulty(value: unknown, issues: readonly Issue[]): unknown {
  const sections = structuredClone(value) as Record<string, unknown>;
  for (const { path: [section, member] } of issues) {
    if (section === undefined) return {};
    const members = sections[String(section)];
    if (section === "listeners" && Array.isArray(members) && typeof member === "number") {
      members[member] = { port: 0 };
    } else if (section === "providers" && member !== undefined) {
      delete (members as Record<PropertyKey, unknown> | undefined)?.[member];
    } else {
      delete sections[String(section)];
    }
  }
  return sections;
}

function warnAbout(unknown: readonly UnknownKey[], file: string): Finding[] {
  const legacy = unknown.filter(({ path }) => isLegacyKey(path));
  const warnings: Finding[] = unknown.filter(({ path }) => !isLegacyKey(path)).map(({ path, nearest }) => ({
    file,
    path,
    message: "is an unknown key and has no effect",
    hint: nearest === undefined
      ? "remove it, or begin its name with _ if it is a comment"
      : `did you mean "${nearest}"?`,
  }));
  if (legacy.length > 0) {
    warnings.push({
      file,
      path: "",
      message: `has settings of ProxyPowermtaXOAUTH2 that have no effect here: ${listPaths(legacy)}`,
      hint: "they do no harm and may stay",
    });
  }
  return warnings;
}

function listPaths(keys: readonly UnknownKey[]): string {
  const shown = keys.slice(0, 8).map(({ path }) => path).join(", ");
  return keys.length > 8 ? `${shown} and ${keys.length - 8} more` : shown;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly code?: string | undefined;
  readonly message: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

function explain(issue: Issue, root: unknown, file: string): Finding {
  const keys = issue.path.map((key) => typeof key === "number" ? key : String(key));
  const path = keys.reduce<string>((place, key) => joinPath(place, key), "");
  const found = keys.reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], root);
  const isContainer = issue.code !== "custom";
  const message = issue.message.startsWith("must be") ? issue.message : "must be an object, in braces";
  const hint = isContainer ? "see the example in README.md" : String(issue.params?.["hint"] ?? "");
  return { file, path, message: `${message}, not ${describe(found)}`, hint };
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  // A URL may hold a password.
  const text = JSON.stringify(value).replace(/\/\/[^/@]*@/, "//…@");
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
