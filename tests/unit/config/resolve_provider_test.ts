import assert from "node:assert/strict";
import type { AccountOverrides } from "../../../src/accounts/account_overrides.ts";
import { buildProviders } from "../../../src/config/build_providers.ts";
import type { ProviderConfig } from "../../../src/config/config_schema.ts";
import { ProviderError, resolveProvider } from "../../../src/config/resolve_provider.ts";

function providersWith(configs: Record<string, ProviderConfig> = {}) {
  const { providers, faults } = buildProviders(configs, { file: "config.json", resolvePath: (path) => path });
  assert.deepEqual(faults, []);
  return providers;
}

function resolve(name: string, overrides?: AccountOverrides, configs?: Record<string, ProviderConfig>) {
  return resolveProvider(providersWith(configs), name, overrides);
}

function errorOf(attempt: () => unknown): ProviderError {
  try {
    attempt();
  } catch (error) {
    assert.ok(error instanceof ProviderError);
    return error;
  }
  throw new assert.AssertionError({ message: "resolved" });
}

Deno.test("resolveProvider shares one object between accounts without overrides", () => {
  const providers = providersWith();
  assert.equal(
    resolveProvider(providers, "gmail"),
    resolveProvider(providers, "Google", {}),
  );
});

const tenantRows: readonly [name: string, tenant: string | undefined, tokenUrl: string][] = [
  ["office365", undefined, "https://login.microsoftonline.com/common/oauth2/v2.0/token"],
  ["outlook", "contoso.com", "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"],
  ["hotmail", undefined, "https://login.microsoftonline.com/consumers/oauth2/v2.0/token"],
  ["gcc-high", "t1", "https://login.microsoftonline.us/t1/oauth2/v2.0/token"],
  ["21vianet", "t1", "https://login.partner.microsoftonline.cn/t1/oauth2/v2.0/token"],
  ["gmail", "ignored", "https://oauth2.googleapis.com/token"],
];

for (const [name, tenant, tokenUrl] of tenantRows) {
  Deno.test(`resolveProvider finds the token URL of ${name} for tenant ${tenant}`, () => {
    assert.equal(resolve(name, tenant === undefined ? {} : { tenant }).tokenUrl, tokenUrl);
  });
}

Deno.test("resolveProvider puts the tenant into all three URLs", () => {
  const { authorizationUrl, deviceAuthorizationUrl } = resolve("outlook", { tenant: "a/b" });
  assert.equal(authorizationUrl, "https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/authorize");
  assert.equal(deviceAuthorizationUrl, "https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/devicecode");
});

Deno.test("resolveProvider fills {tenant} of a custom provider for each account", () => {
  const configs = {
    corp: {
      smtp_endpoint: "smtp.corp.example:587",
      oauth_token_url: "https://login.corp.example/{tenant}/token",
    },
  };
  assert.equal(resolve("corp", { tenant: "t1" }, configs).tokenUrl, "https://login.corp.example/t1/token");
  assert.equal(resolve("CORP", {}, configs).tokenUrl, "https://login.corp.example/common/token");
});

Deno.test("resolveProvider keeps Outlook to 3 connections whoever asks for more", () => {
  const configs = { outlook: { connection_pool: { max_connections_per_account: 50 } } };
  assert.equal(resolve("outlook", {}, configs).limits.connections, 3);
  assert.equal(resolve("outlook", { maxConnections: 60 }, configs).limits.connections, 3);
  assert.equal(resolve("outlook", { maxConnections: 2 }, configs).limits.connections, 2);
});

Deno.test("resolveProvider takes the smaller of an account's two counts of connections", () => {
  assert.equal(resolve("gmail", { limits: { connections: 1 }, maxConnections: 50 }).limits.connections, 1);
  assert.equal(resolve("gmail", { limits: { connections: 5 }, maxConnections: 2 }).limits.connections, 2);
});

Deno.test("resolveProvider lets limits.connections raise what the preset knows", () => {
  const configs = { gmail: { limits: { connections: 25 } } };
  assert.equal(resolve("gmail", {}, configs).limits.connections, 25);
  const capped = {
    gmail: { limits: { connections: 25 }, connection_pool: { max_connections_per_account: 4 } },
  };
  assert.equal(resolve("gmail", {}, capped).limits.connections, 4);
  assert.equal(resolve("gmail", { limits: { connections: 20 } }, capped).limits.connections, 20);
});

Deno.test("resolveProvider applies an account's own pool, retry and circuit breaker", () => {
  const provider = resolve("gmail", {
    pool: { maxMessagesPerConnection: 7 },
    retry: { maxAttempts: 9 },
    circuitBreaker: { enabled: false },
    maxTransactions: 11,
    scope: "https://mail.google.com/ profile",
  });
  assert.equal(provider.pool.maxMessagesPerConnection, 7);
  assert.equal(provider.pool.maxTransactions, 11);
  assert.equal(provider.pool.connectionMaxAgeMs, 300_000);
  assert.equal(provider.retry.maxAttempts, 9);
  assert.equal(provider.circuitBreaker.enabled, false);
  assert.equal(provider.scope, "https://mail.google.com/ profile");
});

const securityRows: readonly [port: number, security: string][] = [[465, "tls"], [587, "starttls"], [
  25,
  "starttls",
], [
  8465,
  "tls",
]];

for (const [port, security] of securityRows) {
  Deno.test(`resolveProvider speaks ${security} to port ${port} of a provider with implicit TLS`, () => {
    const smtpEndpoint = { hostname: "smtp.gmail.com", port };
    assert.equal(resolve("gmail", { smtpEndpoint }).smtpSecurity, security);
  });
}

Deno.test("resolveProvider refuses plain text to another machine", () => {
  const configs = {
    sink: {
      smtp_endpoint: "127.0.0.1:2526",
      smtp_security: "none" as const,
      oauth_token_url: "http://localhost:8080/token",
    },
  };
  assert.equal(resolve("sink", {}, configs).smtpSecurity, "none");
  const smtpEndpoint = { hostname: "10.0.0.5", port: 587 };
  const error = errorOf(() => resolve("sink", { smtpEndpoint }, configs));
  assert.equal(error.field, "oauth_endpoint");
});

Deno.test("resolveProvider refuses a token URL that would show secrets", () => {
  for (
    const tokenUrl of [
      "http://login.example.com/token",
      "ftp://127.0.0.1/",
      "token",
      "http://127.0.0.1.example/",
    ]
  ) {
    assert.equal(errorOf(() => resolve("gmail", { tokenUrl })).field, "oauth_token_url");
  }
  assert.equal(resolve("gmail", { tokenUrl: "http://[::1]:80/token" }).tokenUrl, "http://[::1]:80/token");
});

Deno.test("resolveProvider names the known providers when one is unknown", () => {
  const error = errorOf(() => resolve("fastmial"));
  assert.match(error.hint, /did you mean "fastmail"\? Known are gmail, .*outlook-china$/);
  assert.match(errorOf(() => resolve("nowhere")).hint, /describe another one under providers/);
  assert.match(errorOf(() => resolve("Zoho")).message, /application password/);
});

Deno.test("buildProviders lays the default section under custom providers only", () => {
  const providers = providersWith({
    default: { max_concurrent_messages: 7 },
    corp: { smtp_endpoint: "smtp.corp.example:587", oauth_token_url: "https://login.corp.example/token" },
  });
  assert.equal(providers.get("corp")?.pool.maxTransactions, 7);
  assert.equal(providers.get("gmail")?.pool.maxTransactions, 100);
  assert.equal(providers.has("default"), false);
});

Deno.test("buildProviders changes a preset under all its names", () => {
  const providers = providersWith({ Google: { limits: { messages_per_minute: 5 } } });
  for (const name of ["gmail", "google", "workspace"]) {
    assert.equal(providers.get(name)?.limits.messagesPerMinute, 5);
  }
});
