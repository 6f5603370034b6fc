/** Accounts and providers for tests of OAuth, with every setting small. */

import type { Account } from "../../../src/accounts/account.ts";
import type { ProviderSettings } from "../../../src/config/settings.ts";

/** A provider whose retries pause for a few milliseconds at most. */
export function testProvider(settings: Partial<ProviderSettings> = {}): ProviderSettings {
  return {
    name: "test",
    smtpEndpoint: { hostname: "127.0.0.1", port: 2526 },
    smtpSecurity: "starttls",
    knownExtensions: [],
    tokenUrl: "http://127.0.0.1:9/token",
    scope: "smtp offline_access",
    limits: { connections: 3 },
    pool: {
      maxMessagesPerConnection: 100,
      connectionMaxAgeMs: 60_000,
      connectionIdleTimeoutMs: 60_000,
      waitTimeoutMs: 5000,
      maxTransactions: 10,
      prewarm: 0,
    },
    retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 5, jitter: true },
    circuitBreaker: { enabled: true, failureThreshold: 100, recoveryTimeoutMs: 60_000 },
    ...settings,
  };
}

/** An account with a refresh token. */
export function testAccount(settings: Partial<Account> = {}): Account {
  const email = settings.email ?? "sender@example.com";
  return {
    email,
    providerName: "test",
    grant: "refresh_token",
    clientId: "client-1",
    clientSecret: "secret-of-client",
    refreshToken: "refresh-0",
    username: email,
    saslUser: email,
    provider: testProvider(),
    ...settings,
  };
}
