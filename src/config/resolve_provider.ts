import type { AccountOverrides } from "../accounts/account_overrides.ts";
import { securityFor } from "./build_providers.ts";
import { isSecureUrl } from "./config_values.ts";
import { formatEndpoint } from "./endpoint.ts";
import { isLoopbackHost } from "./loopback_host.ts";
import { nearestKey } from "./nearest_key.ts";
import { unsupportedProviders } from "./provider_presets.ts";
import type { MailboxLimits, PoolSettings, ProviderSettings } from "./settings.ts";
import { needsTenant, withTenant } from "./with_tenant.ts";

/** Why an account has no usable provider: which of its fields is at fault, and what to do. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly code = "PROVIDER";

  /** `field` is the key in accounts.json; `hint` completes the message for an operator. */
  constructor(message: string, readonly field: ProviderErrorField, readonly hint: string) {
    super(message);
  }
}

/** Keys in accounts.json that choose or change a provider. */
export type ProviderErrorField = "provider" | "oauth_endpoint" | "oauth_token_url";

/**
 * The settings of an account's provider, its overrides applied. Without overrides it is the map's own object.
 *
 * @param name A preset, an alias of one, or a provider of config.json; case doesn't matter.
 * @throws {ProviderError} If there is no such provider, or an override would send tokens in clear.
 */
export function resolveProvider(
  providers: ReadonlyMap<string, ProviderSettings>,
  name: string,
  overrides: AccountOverrides = {},
): ProviderSettings {
  const base = providers.get(name.toLowerCase());
  if (!base) throw unknownProvider(providers, name);
  const isOverridden = Object.values(overrides).some((value) => value !== undefined);
  if (!isOverridden && !needsTenant(base)) return base;
  const { tokenUrl = base.tokenUrl, smtpEndpoint = base.smtpEndpoint, scope, tenant } = overrides;
  const settings: ProviderSettings = {
    ...base,
    tokenUrl,
    smtpEndpoint,
    smtpSecurity: securityFor(smtpEndpoint, base),
    ...(scope === undefined ? {} : { scope }),
    limits: limitsOf(base.limits, overrides),
    pool: poolOf(base.pool, overrides),
    retry: { ...base.retry, ...overrides.retry },
    circuitBreaker: { ...base.circuitBreaker, ...overrides.circuitBreaker },
  };
  const resolved = tenant !== undefined || needsTenant(settings)
    ? withTenant(settings, tenant ?? "common")
    : settings;
  checkTransport(resolved);
  return resolved;
}

/**
 * An account may have fewer connections than its provider allows, or more than config.json gives others; where two keys of it
 * count them, the smaller number holds.
 */
function limitsOf(base: MailboxLimits, { limits, maxConnections }: AccountOverrides): MailboxLimits {
  const allowed = base.providerConnections ?? base.connections;
  const wanted = [maxConnections, limits?.connections].filter((count) => count !== undefined);
  const own = wanted.length === 0 ? [base.connections] : wanted;
  return { ...base, ...limits, connections: Math.min(allowed, ...own) };
}

function poolOf(base: PoolSettings, { pool, maxTransactions }: AccountOverrides): PoolSettings {
  return { ...base, ...pool, ...(maxTransactions === undefined ? {} : { maxTransactions }) };
}

function checkTransport({ smtpEndpoint, smtpSecurity, tokenUrl }: ProviderSettings): void {
  if (smtpSecurity === "none" && !isLoopbackHost(smtpEndpoint.hostname)) {
    throw new ProviderError(
      `Cannot use "${formatEndpoint(smtpEndpoint)}": the provider's smtp_security is "none"`,
      "oauth_endpoint",
      'unencrypted SMTP is allowed to this machine only; set smtp_security to "starttls" or "tls"',
    );
  }
  if (!isSecureUrl(tokenUrl)) {
    throw new ProviderError(
      "Cannot use the token URL: it is no https URL",
      "oauth_token_url",
      "http is allowed to localhost, 127.0.0.0/8 and [::1] only, because secrets travel to it",
    );
  }
}

function unknownProvider(providers: ReadonlyMap<string, ProviderSettings>, name: string): ProviderError {
  const reason = unsupportedProviders.get(name.toLowerCase());
  if (reason !== undefined) {
    return new ProviderError(`Cannot use provider "${name}": ${reason}`, "provider", "use another provider");
  }
  const nearest = nearestKey(name, providers.keys());
  const names = [...new Set([...providers.values()].map((provider) => provider.name))].join(", ");
  return new ProviderError(
    `Cannot find provider "${name}"`,
    "provider",
    nearest === undefined
      ? `known are ${names}; describe another one under providers in config.json`
      : `did you mean "${nearest}"? Known are ${names}`,
  );
}
