/**
 * Accounts as the API takes them: the fields of accounts.json, checked by the same rules, with a plain `password` in
 * place of its hash.
 */

import { z } from "@hono/zod-openapi";
import { accountSchema } from "../accounts/account_schema.ts";
import { flag, text } from "../config/config_values.ts";

const { shape } = accountSchema;

/** How JSON Schema describes a field. Defaults stand in words: generators make a field with `default` a required one. */
interface Documentation {
  readonly type: "string" | "object" | "boolean" | "integer";
  readonly description?: string;
  readonly example?: string;
  readonly format?: string;
  readonly minimum?: number;
}

/** Schemas made before zod-openapi was loaded can't be documented; their copies can. */
function documented<T extends z.ZodType>(schema: T, documentation: Documentation): T {
  return schema.clone().openapi({ ...documentation }) as T;
}

/** Scripts fill what they don't have with empty text. */
function optional<T extends z.ZodType>(schema: T, documentation: Documentation) {
  return z.preprocess((value) => value === "" || value === null ? undefined : value, schema.optional())
    .openapi({ ...documentation });
}

/** Null removes a field. */
function removable<T extends z.ZodType>(schema: T, { type, ...documentation }: Documentation) {
  return schema.nullable().optional().openapi({ ...documentation, type: [type, "null"] });
}

const texts = [
  "grant",
  "client_id",
  "client_secret",
  "refresh_token",
  "oauth_token_url",
  "oauth_endpoint",
  "tenant",
  "scope",
  "username",
  "private_key_file",
  "certificate_file",
  "sasl_user",
] as const;

const sections = ["connection_settings", "limits", "retry", "circuit_breaker"] as const;

type Field = (typeof texts)[number] | (typeof sections)[number];
type Fields<Value> = { [Key in Field]: Value };

function eachField<T>(make: (schema: z.ZodType, type: "string" | "object") => T): Fields<T> {
  return Object.fromEntries([
    ...texts.map((key) => [key, make(shape[key], "string")]),
    // What is no slip in there is the operator's own, and kept as it is beside the fields.
    ...sections.map((key) => [key, make(shape[key].unwrap().loose(), "object")]),
  ]) as Fields<T>;
}

const email = documented(shape.email, { type: "string", format: "email", example: "sales@example.com" });
const provider = documented(shape.provider, { type: "string", example: "gmail" });
const transactions = { type: "integer", minimum: 1 } as const;
const password = {
  type: "string",
  description: "What SMTP clients sign in with; kept as an scrypt hash",
} as const;

/** Body of `POST /admin/accounts`; also one item of a batch. */
export const newAccountSchema = z.looseObject({
  email,
  provider,
  ...eachField((schema, type) => optional(schema, { type })),
  max_concurrent_messages: optional(shape.max_concurrent_messages, transactions),
  password_hash: optional(shape.password_hash, { type: "string" }),
  password: optional(text, password),
  verify: optional(flag, { type: "boolean", description: "Ask the token endpoint first; default: true" }),
  overwrite: optional(flag, { type: "boolean", description: "Replace one that exists; default: false" }),
}).openapi("NewAccount");

/** Body of `PATCH /admin/accounts/{email}`. */
export const accountPatchSchema = z.looseObject({
  email: email.optional(),
  provider: provider.optional(),
  ...eachField((schema, type) => removable(schema, { type })),
  max_concurrent_messages: removable(shape.max_concurrent_messages, transactions),
  password_hash: removable(shape.password_hash, { type: "string" }),
  password: removable(text, password),
}).openapi("AccountPatch");

/** See `newAccountSchema`. */
export type NewAccount = z.infer<typeof newAccountSchema>;
/** See `accountPatchSchema`. */
export type AccountPatchBody = z.infer<typeof accountPatchSchema>;
