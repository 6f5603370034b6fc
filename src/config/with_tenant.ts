import type { ProviderSettings } from "./settings.ts";

/** Sign-in hosts of Entra, whose URLs begin with the tenant (Microsoft, "National clouds"). */
const entraHosts = new Set([
  "login.microsoftonline.com",
  "login.microsoftonline.us",
  "login.partner.microsoftonline.cn",
]);

/** Puts a tenant into the provider's OAuth URLs: for `{tenant}`, and for the tenant that an Entra URL has now. */
export function withTenant(provider: ProviderSettings, tenant: string): ProviderSettings {
  const { tokenUrl, authorizationUrl, deviceAuthorizationUrl } = provider;
  return {
    ...provider,
    tokenUrl: tenantUrl(tokenUrl, tenant),
    ...(authorizationUrl === undefined ? {} : { authorizationUrl: tenantUrl(authorizationUrl, tenant) }),
    ...(deviceAuthorizationUrl === undefined
      ? {}
      : { deviceAuthorizationUrl: tenantUrl(deviceAuthorizationUrl, tenant) }),
  };
}

/** Whether a URL of the provider still waits for a tenant. */
export function needsTenant(provider: ProviderSettings): boolean {
  const { tokenUrl, authorizationUrl = "", deviceAuthorizationUrl = "" } = provider;
  return [tokenUrl, authorizationUrl, deviceAuthorizationUrl].some((url) => url.includes("{tenant}"));
}

function tenantUrl(url: string, tenant: string): string {
  const segment = encodeURIComponent(tenant);
  if (url.includes("{tenant}")) return url.replaceAll("{tenant}", segment);
  const parsed = URL.parse(url);
  if (!parsed || !entraHosts.has(parsed.hostname)) return url;
  return url.replace(/^(https:\/\/[^/]+\/)[^/]+/, `$1${segment}`);
}
