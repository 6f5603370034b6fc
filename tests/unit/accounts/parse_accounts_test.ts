import assert from "node:assert/strict";
import type { AccountOverrides } from "../../../src/accounts/account_overrides.ts";
import { parseAccountsDocument } from "../../../src/accounts/accounts_file.ts";
import { parseAccounts } from "../../../src/accounts/parse_accounts.ts";
import { ConfigError } from "../../../src/config/config_error.ts";
import { testProvider } from "../oauth/test_account.ts";
import { record } from "./store_fixture.ts";

const provider = testProvider();

function parse(content: unknown, resolved: AccountOverrides[] = []) {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  return parseAccounts(parseAccountsDocument(text, "accounts.json"), {
    file: "accounts.json",
    resolveProvider: (name, overrides) => {
      if (name === "nowhere") {
        throw Object.assign(new Error("Cannot find provider"), { field: "provider", hint: "known are …" });
      }
      resolved.push(overrides);
      return provider;
    },
  });
}

function faultsOf(content: unknown): string[] {
  try {
    parse(content);
  } catch (error) {
    if (error instanceof ConfigError) return error.findings.map(({ path, message }) => `${path} ${message}`);
    throw error;
  }
  return [];
}

Deno.test("parseAccounts takes a file of the Python program as it is", () => {
  const resolved: AccountOverrides[] = [];
  const { accounts, warnings } = parse({
    _comment: "Accounts with overrides",
    _version: "2.0",
    accounts: [{
      account_id: "4",
      email: "vip@example.com",
      ip_address: "192.0.2.4",
      vmta_name: "vmta-vip",
      provider: "outlook",
      client_id: "app",
      client_secret: "",
      refresh_token: "M.C5",
      oauth_endpoint: "smtp.office365.com:587",
      oauth_token_url: "https://login.live.com/oauth20_token.srf",
      max_concurrent_messages: 7,
      max_messages_per_hour: 10000,
      _comment: "aggressive",
      connection_settings: {
        max_connections_per_account: 80,
        max_messages_per_connection: 100,
        connection_max_age_seconds: 1200,
        connection_idle_timeout_seconds: 180,
      },
      rate_limiting: { enabled: true, messages_per_hour: 20000 },
      retry: { max_attempts: 3, backoff_factor: 1.5, max_delay_seconds: 20, jitter_enabled: false },
      circuit_breaker: { enabled: true, failure_threshold: 9, recovery_timeout_seconds: 30 },
    }],
  }, resolved);
  assert.deepEqual(warnings, []);
  assert.deepEqual(accounts, [{
    email: "vip@example.com",
    providerName: "outlook",
    grant: "refresh_token",
    clientId: "app",
    refreshToken: "M.C5",
    username: "vip@example.com",
    saslUser: "vip@example.com",
    provider,
  }]);
  assert.deepEqual(resolved, [{
    smtpEndpoint: { hostname: "smtp.office365.com", port: 587 },
    tokenUrl: "https://login.live.com/oauth20_token.srf",
    maxConnections: 80,
    pool: { maxMessagesPerConnection: 100, connectionMaxAgeMs: 1_200_000, connectionIdleTimeoutMs: 180_000 },
    retry: { maxAttempts: 3, backoffFactor: 1.5, maxDelayMs: 20_000, jitter: false },
    circuitBreaker: { enabled: true, failureThreshold: 9, recoveryTimeoutMs: 30_000 },
    maxTransactions: 7,
  }]);
});

const faults: [why: string, content: unknown, expected: string[]][] = [
  ["no JSON", "[{", [" is not valid JSON"]],
  ["no accounts", { account: [] }, [" holds no accounts"]],
  ["no object", [7], ["[0] must be an object"]],
  ["missing fields", [{}], [
    "[0].email is missing, and must be an e-mail address",
    "[0].provider is missing, and must be text",
  ]],
  ["an address without @", [record("joe")], ["[0].email must be an e-mail address"]],
  ["the outer path", { accounts: [record("joe")] }, ["accounts[0].email must be an e-mail address"]],
  ["no client", [{ ...record("a@example.com"), client_id: "" }], ["[0].client_id is missing"]],
  ["clear text to a token endpoint", [
    record("a@example.com", { oauth_token_url: "http://login.example.com/" }),
  ], [
    "[0].oauth_token_url must be an https URL",
  ]],
  ["a password in clear", [record("a@example.com", { password: "hunter2" })], [
    "[0].password must not stand in a file",
  ]],
  ["no hash", [record("a@example.com", { password_hash: "hunter2" })], [
    "[0].password_hash must be a scrypt hash",
  ]],
  ["a nested value", [record("a@example.com", { retry: { max_attempts: "3" } })], [
    "[0].retry.max_attempts must be a whole number",
  ]],
  ["a grant that is none", [record("a@example.com", { grant: "password" })], ["[0].grant must be one of"]],
  ["nothing to sign in as app with", [record("a@example.com", { grant: "client_credentials" })], [
    "[0].client_secret is missing",
  ]],
  ["no key file", [record("a@example.com", { grant: "service_account" })], [
    "[0].private_key_file is missing",
  ]],
  ["a provider that is none", [record("a@example.com", { provider: "nowhere" })], [
    "[0].provider Cannot find provider",
  ]],
  ["a control character in an e-mail", [record("a\u0001auth=x@example.com")], [
    "[0].email must be an e-mail",
  ]],
  ["half a character in an e-mail", [record("\ud800@example.com")], ["[0].email must be an e-mail address"]],
  ["a control character in sasl_user", [record("a@example.com", { sasl_user: "x\u0001auth=y" })], [
    "[0].sasl_user must be text without control characters",
  ]],
  ["half a character in sasl_user", [record("a@example.com", { sasl_user: "\udfffx" })], [
    "[0].sasl_user must be text without control characters",
  ]],
  ["an e-mail twice", [record("a@example.com"), record("A@example.com")], [
    "[1].email is the same as that of [0]",
  ]],
  ["a user name twice", [record("a@example.com"), record("b@example.com", { username: "A@example.com" })], [
    "[1].username is the same as that of [0]",
  ]],
  ["a user name that is a later e-mail", [
    record("a@example.com", { username: "B@example.com" }),
    record("b@example.com"),
  ], [
    "[1].username is the same as that of [0]",
  ]],
  ["all faults at once", [record("joe"), record("jim")], [
    "[0].email must be an e-mail address",
    "[1].email must be an e-mail address",
  ]],
];

for (const [why, content, expected] of faults) {
  Deno.test(`parseAccounts refuses ${why}`, () => {
    const found = faultsOf(content);
    assert.equal(found.length, expected.length, found.join("; "));
    expected.forEach((text, index) => assert.ok(found[index]?.startsWith(text), found[index]));
  });
}

Deno.test("parseAccounts warns of a slip in a key and of an account that can't send yet", () => {
  const { refresh_token: _token, ...rest } = record("a@example.com", {
    client_secert: "x",
    my_own_field: 1,
    limits: { conections: 2, my_own_limit: 1 },
  });
  const { warnings } = parse([rest]);
  assert.deepEqual(warnings.map(({ path }) => path), [
    "[0].client_secert",
    "[0].limits.conections",
    "[0].refresh_token",
  ]);
  assert.match(warnings[0]?.hint ?? "", /client_secret/);
});

Deno.test("parseAccounts names no secret in its findings", () => {
  const content = [
    record("a", { refresh_token: 12345, client_secret: { hunter2: 1 }, password_hash: "hunter2" }),
  ];
  const text = faultsOf(content).join();
  assert.doesNotMatch(text, /hunter2|12345/);
});
