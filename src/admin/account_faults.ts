/** Every fault of an account body at once, so that a client mends them in one go. */

import type { z } from "zod";
import { accountSchema, legacyAccountKeys } from "../accounts/account_schema.ts";
import { flag } from "../config/config_values.ts";
import { joinPath, keepKnownKeys } from "../config/known_keys.ts";
import { resolveProvider } from "../config/resolve_provider.ts";
import type { ProviderSettings } from "../config/settings.ts";
import type { ProblemDetail } from "./request_problem.ts";

/** An issue of zod's, as far as it is read here. */
export interface SchemaIssue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly params?: Record<string, unknown> | undefined;
}

const bodySchema = accountSchema.extend({ verify: flag.optional(), overwrite: flag.optional() });

/** What a schema found, as details of a problem. */
export function schemaFaults(issues: readonly SchemaIssue[], body: unknown): ProblemDetail[] {
  return issues.map(({ path, message, params }) => ({
    path: path.reduce<string>((joined, key) => joinPath(joined, String(key)), ""),
    message: valueAt(body, path) === undefined && path.length > 0 ? `is missing, and ${message}` : message,
    hint: String(params?.["hint"] ?? ""),
  }));
}

/** What the schema of a new account can't see. */
export function newAccountFaults(
  body: unknown,
  providers: ReadonlyMap<string, ProviderSettings>,
): ProblemDetail[] {
  if (!isObject(body)) return [];
  const { grant = "refresh_token", verify = true, client_id, refresh_token, provider } = body;
  const faults = [...misspelledKeys(body), ...providerFault(provider, providers)];
  if (grant !== "service_account" && isBlank(client_id)) {
    faults.push({
      path: "client_id",
      message: "is missing",
      hint: "it identifies the app registered with the provider",
    });
  }
  if (grant === "refresh_token" && verify !== false && isBlank(refresh_token)) {
    const hint = 'add the account with "verify": false, and authorize it afterwards';
    faults.push({ path: "refresh_token", message: "is missing, so there is nothing to verify", hint });
  }
  return faults;
}

/** One fault a field: the first one found says most. */
export function onePerField(faults: readonly ProblemDetail[]): ProblemDetail[] {
  const seen = new Set<string>();
  return faults.filter(({ path }) => !seen.has(path) && seen.add(path));
}

/**
 * A key that nobody knows is the operator's own and kept; a slip of one that is known, at any depth, could be a lost
 * setting, or a secret.
 */
export function misspelledKeys(body: unknown): ProblemDetail[] {
  return unknownKeys(body, bodySchema).filter(({ path, hint }) =>
    hint !== "" && !legacyAccountKeys.has(path)
  );
}

/** Keys that a schema doesn't have, at any depth, with the nearest that it has; those that begin with `_` are comments. */
export function unknownKeys(body: unknown, schema: z.ZodType): ProblemDetail[] {
  return keepKnownKeys(body, schema).unknown.map(({ path, nearest }) => ({
    path,
    message: "is unknown",
    hint: nearest === undefined ? "" : `did you mean "${nearest}"?`,
  }));
}

function providerFault(name: unknown, providers: ReadonlyMap<string, ProviderSettings>): ProblemDetail[] {
  if (typeof name !== "string" || name.trim() === "") return [];
  try {
    resolveProvider(providers, name);
    return [];
  } catch (error) {
    if (!(error instanceof Error) || !("field" in error)) throw error;
    const hint = "hint" in error ? String(error.hint) : "";
    return [{ path: String(error.field), message: error.message, hint }];
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    body,
  );
}
