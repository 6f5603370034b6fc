import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { parseAccountsDocument } from "../../../../src/accounts/accounts_file.ts";
import { importEmailOauth2Proxy } from "../../../../src/accounts/import/email_oauth2_proxy.ts";
import { deriveFernetKey, openFernetToken } from "../../../../src/accounts/import/fernet.ts";
import type { ImportedAccounts } from "../../../../src/accounts/import/imported_accounts.ts";
import { parseIniFile } from "../../../../src/accounts/import/ini_file.ts";
import { importProxyPowermta } from "../../../../src/accounts/import/proxy_powermta.ts";
import { importSaslXoauth2 } from "../../../../src/accounts/import/sasl_xoauth2.ts";
import { parseAccounts } from "../../../../src/accounts/parse_accounts.ts";
import { verifyPassword } from "../../../../src/accounts/password_hash.ts";
import { testProvider } from "../../oauth/test_account.ts";

/** What is imported has to be right for accounts.json. */
function checkRecords({ accounts }: ImportedAccounts): void {
  const document = parseAccountsDocument(JSON.stringify(accounts), "imported");
  parseAccounts(document, { file: "imported", resolveProvider: () => testProvider() });
}

/** Encrypts as Fernet does. */
function seal(text: string, key: Buffer): string {
  const nonce = randomBytes(16);
  const cipher = createCipheriv("aes-128-cbc", key.subarray(16), nonce);
  const head = Buffer.concat([Buffer.from([0x80]), Buffer.alloc(8), nonce]);
  const signed = Buffer.concat([head, cipher.update(text), cipher.final()]);
  const mac = createHmac("sha256", key.subarray(0, 16)).update(signed).digest();
  return Buffer.concat([signed, mac]).toString("base64url").padEnd(
    Math.ceil((signed.length + 32) / 3) * 4,
    "=",
  );
}

Deno.test("importProxyPowermta keeps every field and says which have no effect", () => {
  const text = JSON.stringify({
    accounts: [{
      email: "a@example.com",
      provider: "gmail",
      client_id: "c",
      client_secret: "",
      refresh_token: "r",
      vmta_name: "v",
    }],
  });
  const imported = importProxyPowermta(text, "accounts.json");
  assert.deepEqual(imported.accounts, [
    { email: "a@example.com", provider: "gmail", client_id: "c", refresh_token: "r", vmta_name: "v" },
  ]);
  assert.deepEqual(imported.unmapped.map(({ message }) => message), [
    '"vmta_name" is kept, and has no effect',
  ]);
  checkRecords(imported);
});

const proxyConfig = `
[Email OAuth 2.0 Proxy configuration file]
documentation = Several lines
\t[not a section]
\tand more.

[IMAP-1993]
server_address = outlook.office365.com
[SMTP-1587]
server_address = smtp.office365.com
starttls = True

[joe@example.com]
permission_url = https://login.microsoftonline.com/common/oauth2/v2.0/authorize
token_url = https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token
oauth2_scope = https://outlook.office365.com/SMTP.Send offline_access
redirect_uri = http://localhost
client_id = app
client_secret = secret%percent
token_salt = SALT
token_iterations = 1000
access_token = TOKEN
refresh_token = TOKEN
last_activity = 1
something_new = 1

[robot@example.com]
token_url = https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token
oauth2_scope = https://outlook.office365.com/.default
oauth2_flow = client_credentials
client_id = app
client_secret = s

[old@example.com]
token_url = https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token
oauth2_flow = password
client_id = app

[emailproxy]
delete_account_token_on_password_error = False
`;

Deno.test("importEmailOauth2Proxy decrypts tokens with the clients' password and keeps that", async () => {
  const salt = randomBytes(16);
  const key = await deriveFernetKey("local password", { salt, iterations: 1000 });
  const text = proxyConfig.replace("SALT", salt.toString("base64")).replaceAll(
    "TOKEN",
    seal("refresh-1", key),
  );
  const passwords = new Map([["joe@example.com", "local password"]]);
  const imported = await importEmailOauth2Proxy(text, { file: "emailproxy.config", passwords });
  const [joe, robot] = imported.accounts;
  const { password_hash, ...rest } = joe ?? assert.fail("no account");
  assert.deepEqual(rest, {
    email: "joe@example.com",
    provider: "outlook",
    client_id: "app",
    client_secret: "secret%percent",
    refresh_token: "refresh-1",
    tenant: "contoso.com",
    scope: "https://outlook.office365.com/SMTP.Send offline_access",
  });
  assert.equal(await verifyPassword("local password", password_hash ?? ""), true);
  assert.equal(robot?.grant, "client_credentials");
  assert.equal(imported.accounts.length, 2);
  checkRecords(imported);
});

Deno.test("importEmailOauth2Proxy says what it could not map", async () => {
  const { accounts, unmapped } = await importEmailOauth2Proxy(proxyConfig, { file: "f" });
  const said = unmapped.map(({ source, message }) => `${source}: ${message}`).join("\n");
  assert.match(said, /\[IMAP-1993\]: IMAP is not offered/);
  assert.match(said, /\[SMTP-1587\]: clients used port 1587/);
  assert.match(said, /\[joe@example.com\]: "something_new" is left out/);
  assert.match(said, /\[joe@example.com\]: its tokens are encrypted/);
  assert.match(said, /\[old@example.com\]: the password grant is not offered/);
  assert.equal(accounts[0]?.refresh_token, undefined);
});

Deno.test("importEmailOauth2Proxy says that a password is wrong", async () => {
  const salt = randomBytes(16);
  const key = await deriveFernetKey("right", { salt, iterations: 1000 });
  const text = proxyConfig.replace("SALT", salt.toString("base64")).replaceAll(
    "TOKEN",
    seal("refresh-1", key),
  );
  const passwords = new Map([["joe@example.com", "wrong"]]);
  const { accounts, unmapped } = await importEmailOauth2Proxy(text, { file: "f", passwords });
  assert.equal(accounts[0]?.refresh_token, undefined);
  assert.ok(unmapped.some(({ message }) => message.startsWith("the password does not decrypt")));
});

Deno.test("openFernetToken opens the specification's example", () => {
  const key = Buffer.from("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "base64url");
  const token =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
  assert.equal(openFernetToken(token, key), "hello");
  assert.equal(openFernetToken(token.replace("hu", "hv"), key), undefined);
  assert.equal(openFernetToken("gAAA", key), undefined);
});

Deno.test("parseIniFile reads comments, continued values and colons as configparser does", () => {
  const sections = parseIniFile("# c\n[a]\nKey = 1\n  2\n; c\nother: x=y\n[b c]\nempty =\n");
  assert.deepEqual(
    sections,
    new Map([
      ["a", new Map([["key", "1\n2"], ["other", "x=y"]])],
      ["b c", new Map([["empty", ""]])],
    ]),
  );
});

const tokenFiles: Record<string, string> = {
  "/etc/tokens/a": JSON.stringify({ access_token: "x", expiry: "0", refresh_token: "r-a" }),
  "/etc/tokens/b": JSON.stringify({
    refresh_token: "r-b",
    client_id: "own",
    client_secret: "",
    token_endpoint: "https://login.microsoftonline.com/consumers/oauth2/v2.0/token",
    user: "shared@example.com",
  }),
  "/etc/tokens/c": "nonsense",
  "/etc/tokens/e": JSON.stringify({ refresh_token: "r-e", token_endpoint: "https://id.example.org/token" }),
};

Deno.test("importSaslXoauth2 reads a password map, its token files and the app's settings", async () => {
  const imported = await importSaslXoauth2(
    [
      "# Postfix",
      "[smtp.gmail.com]:587 a@example.com:/etc/tokens/a",
      "b@example.com",
      "   b@example.com:/etc/tokens/b",
      "[smtp.gmail.com]:587 c@example.com:/etc/tokens/c",
      "[smtp.gmail.com]:587 d@example.com:/etc/tokens/d",
      "[mail.example.org]:587 e@example.org:/etc/tokens/e",
      "[smtp.example.net]:587 nothing",
    ].join("\n"),
    {
      file: "sasl_passwd",
      config: JSON.stringify({ client_id: "shared", client_secret: "s" }),
      readFile: (path) => {
        const text = tokenFiles[path];
        return text === undefined ? Promise.reject(new Deno.errors.NotFound(path)) : Promise.resolve(text);
      },
    },
  );
  assert.deepEqual(imported.accounts, [
    {
      email: "a@example.com",
      provider: "gmail",
      client_id: "shared",
      client_secret: "s",
      refresh_token: "r-a",
    },
    {
      email: "b@example.com",
      provider: "outlook",
      client_id: "own",
      refresh_token: "r-b",
      tenant: "consumers",
      sasl_user: "shared@example.com",
    },
    {
      email: "e@example.org",
      provider: "unknown",
      client_id: "shared",
      client_secret: "s",
      refresh_token: "r-e",
      oauth_token_url: "https://id.example.org/token",
      oauth_endpoint: "mail.example.org:587",
    },
  ]);
  assert.deepEqual(imported.unmapped.map(({ source, message }) => `${source} ${message}`), [
    "/etc/tokens/c is no token file: left out",
    "/etc/tokens/d is not there (look in Postfix's chroot): left out",
    "/etc/tokens/e its provider is not known: describe it in config.json and set provider",
    "sasl_passwd a line has no token file: left out",
  ]);
  checkRecords(imported);
});
