import type { Finding } from "./config_error.ts";
import type { ProviderConfig } from "./config_schema.ts";
import { parseEndpoint } from "./endpoint.ts";
import { joinPath } from "./known_keys.ts";
import { type ProviderPreset, providerPresets, unpublishedConnectionLimit } from "./provider_presets.ts";
import type {
  CircuitBreakerSettings,
  Endpoint,
  MailboxLimits,
  PoolSettings,
  ProviderSettings,
  RetrySettings,
  TransportSecurity,
} from "./settings.ts";
import { withTenant } from "./with_tenant.ts";

/** Defaults of what belongs to the operator rather than to the mail service. */
const operatorDefaults: Pick<ProviderSettings, "pool" | "retry" | "circuitBreaker"> = {
  pool: {
    maxMessagesPerConnection: 200,
    connectionMaxAgeMs: 300_000,
    connectionIdleTimeoutMs: 60_000,
    waitTimeoutMs: 30_000,
    maxTransactions: 100,
    prewarm: 0,
  },
  retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 30_000, jitter: true },
  circuitBreaker: { enabled: true, failureThreshold: 5, recoveryTimeoutMs: 60_000 },
};

/** A message's recipients are kept until it is over, and a client with more can send it in parts (RFC 5321 §4.5.3.1.10). */
const DEFAULT_RECIPIENTS_PER_MESSAGE = 1_000;

/** The name under which files of the Python program keep settings for providers that have none of their own. */
const fallbackName = "default";

/** Providers by lower-case name, and what is missing in those that no preset completes. */
export interface BuiltProviders {
  readonly providers: ReadonlyMap<string, ProviderSettings>;
  readonly faults: readonly Finding[];
}

/** What a relative `ca_file` is resolved with, and the file that findings name. */
export interface BuildProvidersOptions {
  readonly file: string;
  readonly resolvePath: (path: string) => string;
}

/** Lays `providers` of config.json over the presets. Aliases lead to the same object as the name itself. */
export function buildProviders(
  configs: Readonly<Record<string, ProviderConfig>>,
  options: BuildProvidersOptions,
): BuiltProviders {
  const providers = new Map<string, ProviderSettings>();
  const aliases = new Map<string, readonly string[]>();
  for (const preset of providerPresets) {
    aliases.set(preset.name, [preset.name, ...preset.aliases]);
    register(fromPreset(preset), [preset.name, ...preset.aliases], providers);
  }
  const faults: Finding[] = [];
  for (const [givenName, config] of Object.entries(configs)) {
    const name = givenName.toLowerCase();
    if (name === fallbackName) continue;
    const known = providers.get(name);
    const missing = known ? [] : missingKeys(config);
    faults.push(...missing.map((key) => missingKey(joinPath("providers", givenName), key, options.file)));
    if (missing.length > 0) continue;
    const base = known ?? overlay(blank(name), configs[fallbackName] ?? {}, options);
    register(overlay(base, config, options), aliases.get(base.name) ?? [name], providers);
  }
  return { providers, faults };
}

function register(
  settings: ProviderSettings,
  names: readonly string[],
  providers: Map<string, ProviderSettings>,
): void {
  for (const name of names) providers.set(name, settings);
}

function fromPreset(preset: ProviderPreset): ProviderSettings {
  const { aliases: _, tenant, smtpEndpoint, ...rest } = preset;
  const settings = { ...operatorDefaults, ...rest, smtpEndpoint: endpointOf(smtpEndpoint) };
  return tenant === undefined ? settings : withTenant(settings, tenant);
}

/** A custom provider before its configuration; `missingKeys` sees to it that nothing of this placeholder stays. */
function blank(name: string): ProviderSettings {
  return {
    ...operatorDefaults,
    name,
    smtpEndpoint: { hostname: "", port: 0 },
    smtpSecurity: "starttls",
    tokenUrl: "",
    knownExtensions: [],
    limits: { connections: unpublishedConnectionLimit },
  };
}

function missingKeys(config: ProviderConfig): readonly string[] {
  return (["smtp_endpoint", "oauth_token_url"] as const).filter((key) => config[key] === undefined);
}

function missingKey(path: string, key: string, file: string): Finding {
  const names = providerPresets.map((preset) => preset.name).join(", ");
  return {
    file,
    path: `${path}.${key}`,
    message: "is missing, and the provider is no preset that would have it",
    hint: `add it, or use the name of a preset: ${names}`,
  };
}

function overlay(
  base: ProviderSettings,
  config: ProviderConfig,
  { resolvePath }: BuildProvidersOptions,
): ProviderSettings {
  const endpoint = config.smtp_endpoint === undefined ? base.smtpEndpoint : endpointOf(config.smtp_endpoint);
  const settings: ProviderSettings = {
    ...base,
    ...withoutUndefined({
      tokenUrl: config.oauth_token_url,
      authorizationUrl: config.authorization_url,
      deviceAuthorizationUrl: config.device_authorization_url,
      scope: config.scope,
      clientCredentialsScope: config.client_credentials_scope,
      caFile: config.ca_file && resolvePath(config.ca_file),
    }),
    smtpEndpoint: endpoint,
    smtpSecurity: config.smtp_security ?? securityFor(endpoint, base),
    limits: overlayLimits(base.limits, config),
    pool: overlayPool(base.pool, config),
    retry: overlayRetry(base.retry, config),
    circuitBreaker: overlayCircuitBreaker(base.circuitBreaker, config),
  };
  return config.tenant === undefined ? settings : withTenant(settings, config.tenant);
}

function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (!endpoint) throw new TypeError(`Cannot read "${text}" as host:port`);
  return endpoint;
}

/**
 * The security that goes with an overriding end point: that of its registered port (RFC 8314 §3.3 for 465, RFC 6409
 * for 587), so that `smtp.gmail.com:587` in an old file doesn't meet the preset's implicit TLS; else the provider's own.
 */
export function securityFor(endpoint: Endpoint, base: ProviderSettings): TransportSecurity {
  if (base.smtpSecurity === "none" || endpoint.port === base.smtpEndpoint.port) return base.smtpSecurity;
  if (endpoint.port === 465) return "tls";
  if (endpoint.port === 587 || endpoint.port === 25) return "starttls";
  return base.smtpSecurity;
}

function overlayLimits(base: MailboxLimits, config: ProviderConfig): MailboxLimits {
  const allowed = config.limits?.connections ?? base.providerConnections ?? base.connections;
  const wanted = config.connection_pool?.max_connections_per_account ?? config.limits?.connections;
  const limits: MailboxLimits = {
    recipientsPerMessage: DEFAULT_RECIPIENTS_PER_MESSAGE,
    ...base,
    ...withoutUndefined({
      messagesPerMinute: config.limits?.messages_per_minute,
      recipientsPerDay: config.limits?.recipients_per_day,
      recipientsPerMessage: config.limits?.recipients_per_message,
      messageOctets: config.limits?.message_bytes,
    }),
  };
  const connections = Math.min(allowed, wanted ?? base.connections);
  return { ...limits, connections, providerConnections: allowed };
}

function overlayPool(base: PoolSettings, config: ProviderConfig): PoolSettings {
  const pool = config.connection_pool;
  return {
    ...base,
    ...withoutUndefined({
      maxMessagesPerConnection: pool?.max_messages_per_connection,
      connectionMaxAgeMs: milliseconds(pool?.connection_max_age_seconds),
      connectionIdleTimeoutMs: milliseconds(pool?.connection_idle_timeout_seconds),
      waitTimeoutMs: milliseconds(pool?.wait_timeout_seconds),
      maxTransactions: config.max_concurrent_messages,
      prewarm: pool?.prewarm,
    }),
  };
}

function overlayRetry(base: RetrySettings, { retry }: ProviderConfig): RetrySettings {
  return {
    ...base,
    ...withoutUndefined({
      maxAttempts: retry?.max_attempts,
      backoffFactor: retry?.backoff_factor,
      maxDelayMs: milliseconds(retry?.max_delay_seconds),
      jitter: retry?.jitter_enabled,
    }),
  };
}

function overlayCircuitBreaker(
  base: CircuitBreakerSettings,
  { circuit_breaker: breaker }: ProviderConfig,
): CircuitBreakerSettings {
  return {
    ...base,
    ...withoutUndefined({
      enabled: breaker?.enabled,
      failureThreshold: breaker?.failure_threshold,
      recoveryTimeoutMs: milliseconds(breaker?.recovery_timeout_seconds),
    }),
  };
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The members that have a value, so that a spread leaves what lies below in place. */
function withoutUndefined<T extends object>(members: T): Present<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>;
}
