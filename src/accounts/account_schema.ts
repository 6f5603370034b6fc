/** What an account in accounts.json consists of. */

import { z } from "zod";
import {
  address,
  flag,
  number,
  seconds,
  secureUrl,
  smtpEndpoint,
  text,
  wholeNumber,
  word,
} from "../config/config_values.ts";
import { isPasswordHash } from "./password_hash.ts";

const connectionSettings = z.object({
  max_connections_per_account: wholeNumber(1, 1000).optional(),
  max_messages_per_connection: wholeNumber(1, 1_000_000).optional(),
  connection_max_age_seconds: seconds(1).optional(),
  connection_idle_timeout_seconds: seconds(1).optional(),
});

const limits = z.object({
  connections: wholeNumber(1, 1000).optional(),
  messages_per_minute: wholeNumber(1, 1_000_000).optional(),
  recipients_per_day: wholeNumber(1, 100_000_000).optional(),
  recipients_per_message: wholeNumber(1, 100_000).optional(),
  message_bytes: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
});

const retry = z.object({
  max_attempts: wholeNumber(1, 100).optional(),
  backoff_factor: number(1, 100).optional(),
  max_delay_seconds: seconds(0).optional(),
  jitter_enabled: flag.optional(),
});

const circuitBreaker = z.object({
  enabled: flag.optional(),
  failure_threshold: wholeNumber(1, 1_000_000).optional(),
  recovery_timeout_seconds: seconds(0).optional(),
});

const tenant = z.custom<string>(
  (value) => typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(value),
  {
    error: "must be an Entra tenant",
    params: { hint: 'its id, its domain, or one of "common", "organizations", "consumers"' },
  },
);

const passwordHash = z.custom<string>((value) => typeof value === "string" && isPasswordHash(value), {
  error: "must be a scrypt hash",
  params: { hint: "let `account set-password` make it" },
});

const noPassword = z.custom<never>(() => false, {
  error: "must not stand in a file",
  params: { hint: "remove it, and let `account set-password` write password_hash" },
});

/** An account as accounts.json spells it; keys that are not here are kept, and mean nothing to the daemon. */
export const accountSchema = z.object({
  email: address,
  provider: text,
  grant: word(["refresh_token", "client_credentials", "service_account"]).optional(),
  client_id: text.optional(),
  client_secret: text.optional(),
  refresh_token: text.optional(),
  oauth_token_url: secureUrl.optional(),
  oauth_endpoint: smtpEndpoint.optional(),
  tenant: tenant.optional(),
  scope: text.optional(),
  username: text.optional(),
  password_hash: passwordHash.optional(),
  password: noPassword.optional(),
  private_key_file: text.optional(),
  certificate_file: text.optional(),
  sasl_user: text.optional(),
  max_concurrent_messages: wholeNumber(1, 1_000_000).optional(),
  connection_settings: connectionSettings.optional(),
  limits: limits.optional(),
  retry: retry.optional(),
  circuit_breaker: circuitBreaker.optional(),
});

/** An account in the spelling of accounts.json, checked. */
export type AccountRecord = z.infer<typeof accountSchema>;

/** Keys of the Python program that have no meaning here, and are no typing errors. */
export const legacyAccountKeys: ReadonlySet<string> = new Set([
  "account_id",
  "vmta_name",
  "ip_address",
  "max_messages_per_hour",
  "rate_limiting",
]);

/** Keys whose values are secrets, and may be encrypted at rest. */
export const secretKeys = ["client_secret", "refresh_token"] as const;
