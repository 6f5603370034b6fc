/** What operators write, and what other programs have written: a finding or a result, never a crash, never a secret. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { parseAccountsDocument } from "../../src/accounts/accounts_file.ts";
import { importEmailOauth2Proxy } from "../../src/accounts/import/email_oauth2_proxy.ts";
import { parseIniFile } from "../../src/accounts/import/ini_file.ts";
import { importProxyPowermta } from "../../src/accounts/import/proxy_powermta.ts";
import { importSaslXoauth2 } from "../../src/accounts/import/sasl_xoauth2.ts";
import { parseAccounts } from "../../src/accounts/parse_accounts.ts";
import { SecretBox } from "../../src/accounts/secret_box.ts";
import { cidrMatcher, parseCidr } from "../../src/config/cidr.ts";
import { checkConfig } from "../../src/config/check_config.ts";
import { ConfigError } from "../../src/config/config_error.ts";
import { parseConfig } from "../../src/config/parse_config.ts";
import { testProvider } from "../unit/oauth/test_account.ts";
import { fuzz, fuzzRuns, storedInputs } from "./stored_inputs.ts";

const text = (octets: Uint8Array) => Buffer.from(octets).toString();

const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e309,
    2525,
    "",
    "x",
    "gmail",
    "127.0.0.1:25",
    "https://x/",
    [],
    {},
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

function objectOf(keys: readonly string[], values: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  return fc.dictionary(
    fc.oneof(fc.constantFrom(...keys, "__proto__", "constructor"), fc.string({ maxLength: 4 })),
    values,
    {
      maxKeys: 8,
    },
  );
}

const provider = objectOf([
  "smtp_endpoint",
  "oauth_token_url",
  "limits",
  "retry",
  "connection_pool",
  "ca_file",
], value);
const listener = objectOf(
  ["host", "port", "security", "allowed_clients", "account", "certificate_file"],
  value,
);
const config = objectOf(
  ["global", "listeners", "admin", "providers", "log", "_comment"],
  fc.oneof(
    value,
    fc.array(fc.oneof(value, listener), { maxLength: 3 }),
    objectOf(["gmail", "outlook", "custom"], fc.oneof(value, provider)),
    objectOf(["smtp", "timeouts", "oauth2_timeout", "shutdown_timeout", "level", "file", "port"], value),
  ),
);
const jsonText = (json: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 4, arbitrary: json.map((member) => JSON.stringify(member)) },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  );

Deno.test("parseConfig and checkConfig answer any file with findings that name a place", () => {
  fuzz(jsonText(config), (content) => {
    const { config, faults, warnings } = parseConfig(content, "config.json");
    for (const finding of [...faults, ...warnings, ...checkConfig(config, "config.json")]) {
      assert.equal(finding.file, "config.json");
      assert.ok(finding.message.length > 0 && finding.message.length < 1000);
    }
  }, storedInputs("config").map(text));
});

const accountRecord = objectOf(
  [
    "email",
    "provider",
    "client_id",
    "client_secret",
    "refresh_token",
    "grant",
    "username",
    "password_hash",
    "limits",
  ],
  fc.oneof(value, fc.constantFrom("a@b.example", "refresh_token", "service_account")),
);

Deno.test("parseAccounts answers any file with accounts or with a ConfigError", () => {
  const file = fc.oneof(
    fc.array(fc.oneof(accountRecord, value), { maxLength: 4 }),
    objectOf(["accounts"], fc.array(accountRecord)),
  );
  const options = { file: "accounts.json", resolveProvider: () => testProvider() };
  fuzz(jsonText(file), (content) => {
    try {
      const document = parseAccountsDocument(content, "accounts.json");
      const { accounts } = parseAccounts(document, options);
      assert.ok(accounts.every(({ email }) => email.includes("@")));
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.ok(error.findings.length > 0);
    }
  }, storedInputs("accounts").map(text));
});

Deno.test("importProxyPowermta answers any file with accounts or with a ConfigError", () => {
  fuzz(jsonText(fc.array(accountRecord, { maxLength: 3 })), (content) => {
    try {
      importProxyPowermta(content, "accounts.json");
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
    }
  }, storedInputs("accounts").map(text));
});

const iniText = fc.array(
  fc.constantFrom(
    "[a@b.example]\n",
    "[SMTP-25]\n",
    "[",
    "]\n",
    "token_url = https://x.example/t\n",
    "token_salt = YQ==\n",
    "refresh_token = gAAAAA\n",
    "client_secret_encrypted = x\n",
    "token_iterations = 1\n",
    "token_iterations = none\n",
    "token_iterations = -1\n",
    "oauth2_flow = password\n",
    "  more\n",
    "# comment\n",
    "= x\n",
    "__proto__ = x\n",
    "\r\n",
    "\0",
  ),
  { maxLength: 15 },
).map((lines) => lines.join(""));

Deno.test("parseIniFile and importEmailOauth2Proxy take any file", async () => {
  fuzz(fc.oneof(iniText, fc.string({ unit: "binary" })), (content) => void parseIniFile(content));
  const property = fc.asyncProperty(iniText, async (content) => {
    const { accounts } = await importEmailOauth2Proxy(content, { file: "emailproxy.config" });
    assert.ok(accounts.every(({ email }) => String(email).includes("@")));
  });
  await fc.assert(property, { numRuns: fuzzRuns });
});

Deno.test("importSaslXoauth2 takes any map and any token files", async () => {
  const map = fc.array(
    fc.constantFrom(
      "[smtp.gmail.com]:587 ",
      "a@b.example",
      ":/token",
      " ",
      "\n",
      "\t",
      "#",
      "smtp.office365.com ",
      "x",
    ),
    { maxLength: 12 },
  ).map((parts) => parts.join(""));
  const property = fc.asyncProperty(map, jsonText(value), async (content, token) => {
    const { accounts, unmapped } = await importSaslXoauth2(content, {
      file: "sasl_passwd",
      readFile: () => Promise.resolve(token),
    });
    assert.ok(Array.isArray(accounts) && Array.isArray(unmapped));
  });
  await fc.assert(property, { numRuns: fuzzRuns });
});

Deno.test("SecretBox.open takes any text and gives back only what it sealed", () => {
  const box = new SecretBox(new Uint8Array(32));
  fuzz(fc.tuple(fc.string(), fc.nat()), ([secret, at]) => {
    const sealed = box.seal(secret, "context");
    assert.equal(box.open(sealed, "context"), secret);
    const index = "enc:v1:".length + at % (sealed.length - "enc:v1:".length - 1);
    const damaged = sealed.slice(0, index) + (sealed[index] === "A" ? "B" : "A") + sealed.slice(index + 1);
    assert.throws(() => box.open(damaged, "context"), /Cannot decrypt/);
    assert.throws(() => box.open(`enc:v1:${secret}`, "context"), /Cannot decrypt/);
  });
});

Deno.test("parseCidr takes any text, and a block holds its own address", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const block = fc.tuple(address, fc.integer({ min: -1, max: 130 })).map(([host, bits]) => `${host}/${bits}`);
  fuzz(fc.oneof(fc.string(), address, block, fc.stringMatching(/^[0-9a-f:./%]*$/)), (content) => {
    try {
      parseCidr(content);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
      return;
    }
    const isInside = cidrMatcher([content]);
    assert.ok(isInside(content.trim().split("/")[0]!), content);
    assert.equal(isInside("not an address"), false);
  });
});
