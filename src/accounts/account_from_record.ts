import { parseEndpoint } from "../config/endpoint.ts";
import type {
  CircuitBreakerSettings,
  MailboxLimits,
  PoolSettings,
  ProviderSettings,
  RetrySettings,
} from "../config/settings.ts";
import type { Account } from "./account.ts";
import type { AccountOverrides } from "./account_overrides.ts";
import type { AccountRecord } from "./account_schema.ts";
import { openSecret, type SecretKey } from "./record_secrets.ts";
import type { SecretBox } from "./secret_box.ts";

/** Resolves a provider's name with an account's overrides; throws an error with `field` and `hint`. */
export type ResolveProvider = (name: string, overrides: AccountOverrides) => ProviderSettings;

/** What turning records into accounts needs. */
export interface RecordContext {
  readonly resolveProvider: ResolveProvider;
  /** Decrypts secrets; without it encrypted ones are a fault. */
  readonly secretBox?: SecretBox | undefined;
}

/** A secret of a record that can't be decrypted. */
class SecretError extends Error {
  override readonly name = "SecretError";
  readonly hint = "give the accounts key that it was encrypted with, or enter the secret anew";

  constructor(readonly field: SecretKey, options: ErrorOptions) {
    super("can't be decrypted", options);
  }
}

/**
 * Makes an account of a checked record: secrets decrypted, defaults filled in, provider resolved.
 *
 * @throws {Error} With `field` and `hint`, if the provider can't be resolved or a secret not be decrypted.
 */
export function accountFromRecord(
  record: AccountRecord,
  { resolveProvider, secretBox }: RecordContext,
): Account {
  const secret = (key: SecretKey) => readSecret(record, { key, box: secretBox });
  return defined({
    email: record.email,
    providerName: record.provider,
    grant: record.grant ?? "refresh_token",
    clientId: record.client_id ?? "",
    clientSecret: secret("client_secret"),
    refreshToken: secret("refresh_token"),
    privateKeyFile: record.private_key_file,
    certificateFile: record.certificate_file,
    tenant: record.tenant,
    scope: record.scope,
    username: record.username ?? record.email,
    passwordHash: record.password_hash,
    saslUser: record.sasl_user ?? record.email,
    provider: resolveProvider(record.provider, overridesOf(record)),
  });
}

function readSecret(
  record: AccountRecord,
  { key, box }: { readonly key: SecretKey; readonly box: SecretBox | undefined },
): string | undefined {
  const value = record[key];
  if (value === undefined) return undefined;
  try {
    return openSecret(value, { box, email: record.email, key });
  } catch (error) {
    throw new SecretError(key, { cause: error });
  }
}

function overridesOf(record: AccountRecord): AccountOverrides {
  const endpoint = record.oauth_endpoint === undefined ? undefined : parseEndpoint(record.oauth_endpoint);
  return defined({
    smtpEndpoint: endpoint,
    tokenUrl: record.oauth_token_url,
    scope: record.scope,
    tenant: record.tenant,
    maxConnections: record.connection_settings?.max_connections_per_account,
    limits: limitsOf(record),
    pool: poolOf(record),
    retry: retryOf(record),
    circuitBreaker: circuitBreakerOf(record),
    maxTransactions: record.max_concurrent_messages,
  });
}

function limitsOf({ limits }: AccountRecord): Partial<MailboxLimits> | undefined {
  return limits && defined({
    connections: limits.connections,
    messagesPerMinute: limits.messages_per_minute,
    recipientsPerDay: limits.recipients_per_day,
    recipientsPerMessage: limits.recipients_per_message,
    messageOctets: limits.message_bytes,
  });
}

function poolOf({ connection_settings: settings }: AccountRecord): Partial<PoolSettings> | undefined {
  return settings && defined({
    maxMessagesPerConnection: settings.max_messages_per_connection,
    connectionMaxAgeMs: milliseconds(settings.connection_max_age_seconds),
    connectionIdleTimeoutMs: milliseconds(settings.connection_idle_timeout_seconds),
  });
}

function retryOf({ retry }: AccountRecord): Partial<RetrySettings> | undefined {
  return retry && defined({
    maxAttempts: retry.max_attempts,
    backoffFactor: retry.backoff_factor,
    maxDelayMs: milliseconds(retry.max_delay_seconds),
    jitter: retry.jitter_enabled,
  });
}

function circuitBreakerOf(
  { circuit_breaker: breaker }: AccountRecord,
): Partial<CircuitBreakerSettings> | undefined {
  return breaker && defined({
    enabled: breaker.enabled,
    failureThreshold: breaker.failure_threshold,
    recoveryTimeoutMs: milliseconds(breaker.recovery_timeout_seconds),
  });
}

function milliseconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000);
}

/** An object in which what is optional may also be undefined. */
type Loose<T> = {
  [Key in keyof T]: undefined extends T[Key] ? Exclude<T[Key], undefined> | undefined : T[Key];
};
type Defined<T> =
  & { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined> };

/** Leaves out the members that are undefined. */
function defined<T extends object>(value: Loose<T>): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}
