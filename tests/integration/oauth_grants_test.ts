/** Each grant against an endpoint on a real socket: what goes over the wire, and what comes of the answers. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { join } from "node:path";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { Account } from "../../src/accounts/account.ts";
import { finishAuthorizationCode, startAuthorizationCode } from "../../src/oauth/authorization_code.ts";
import { requireProtectedUrl } from "../../src/oauth/authorization_server.ts";
import { pollDeviceCode, startDeviceCode, waitForDeviceCode } from "../../src/oauth/device_code.ts";
import { obtainToken } from "../../src/oauth/obtain_token.ts";
import { TokenError } from "../../src/oauth/token_error.ts";
import { ScriptedTokenEndpoint, type TokenAnswer } from "../support/token_endpoint.ts";
import { testAccount, testProvider } from "../unit/oauth/test_account.ts";

const request = { signal: new AbortController().signal };

/** An account at a scripted endpoint, and a folder for key files. */
async function setUp(settings: Partial<Account> = {}) {
  const endpoint = await ScriptedTokenEndpoint.start();
  const folder = await Deno.makeTempDir();
  const provider = testProvider({
    tokenUrl: endpoint.url,
    authorizationUrl: endpoint.url.replace("/token", "/authorize"),
    deviceAuthorizationUrl: endpoint.url.replace("/token", "/device"),
    clientCredentialsScope: "https://outlook.office365.com/.default",
  });
  return {
    endpoint,
    folder,
    account: testAccount({ provider, ...settings }),
    form: () => Object.fromEntries(endpoint.requests.at(-1)?.form ?? []),
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function generateRsaKeys() {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { keys, pem: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}

/** Takes a JWT apart and checks its signature. */
async function verifyJwt(jwt: string, { publicKey, signature }: { publicKey: CryptoKey; signature: string }) {
  const [header = "", payload = "", mac = ""] = jwt.split(".");
  const spki = await crypto.subtle.exportKey("spki", publicKey);
  const key = await crypto.subtle.importKey("spki", spki, { name: signature, hash: "SHA-256" }, false, [
    "verify",
  ]);
  const octets = new TextEncoder().encode(`${header}.${payload}`);
  const parameters = { name: signature, saltLength: 32 };
  assert.ok(
    await crypto.subtle.verify(parameters, key, new Uint8Array(Buffer.from(mac, "base64url")), octets),
  );
  const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
  return { header: decode(header), payload: decode(payload) };
}

Deno.test("refresh token grant sends token, secret and scope in the body", async () => {
  await using test = await setUp();
  const tokens = await obtainToken(test.account, { ...request, now: () => 1000 });
  assert.deepEqual(test.form(), {
    grant_type: "refresh_token",
    refresh_token: "refresh-0",
    client_id: "client-1",
    client_secret: "secret-of-client",
    scope: "smtp offline_access",
  });
  assert.deepEqual(tokens, { accessToken: { value: "token-1", expiresAtMs: 3_601_000 } });
});

Deno.test("refresh token grant of a public client names only the client", async () => {
  await using test = await setUp();
  const { clientSecret: _secret, ...account } = test.account;
  await obtainToken(account, request);
  assert.equal(test.form()["client_id"], "client-1");
  assert.equal("client_secret" in test.form(), false);
});

Deno.test("refresh token grant takes a token for good for 30 days at most", async () => {
  await using test = await setUp();
  test.endpoint.once({ body: { access_token: "token-1", token_type: "Bearer", expires_in: 1e13 } });
  const { accessToken } = await obtainToken(test.account, { ...request, now: () => 1000 });
  assert.equal(accessToken.expiresAtMs, 1000 + 30 * 86_400_000);
});

Deno.test("refresh token grant without a refresh token makes no request", async () => {
  await using test = await setUp();
  const { refreshToken: _token, ...account } = test.account;
  await assert.rejects(obtainToken(account, request), { code: "NEEDS_AUTHORIZATION" });
  assert.equal(test.endpoint.requestCount, 0);
});

Deno.test("client credentials grant sends the secret and the provider's scope for apps", async () => {
  await using test = await setUp({ grant: "client_credentials" });
  await obtainToken(test.account, request);
  assert.deepEqual(test.form(), {
    grant_type: "client_credentials",
    client_id: "client-1",
    client_secret: "secret-of-client",
    scope: "https://outlook.office365.com/.default",
  });
});

Deno.test("client credentials grant signs with a certificate as Entra wants it", async () => {
  await using test = await setUp({ grant: "client_credentials" });
  const { keys, pem } = await generateRsaKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({ keys, name: "CN=app" });
  const privateKeyFile = join(test.folder, "key.pem");
  const certificateFile = join(test.folder, "certificate.pem");
  await Deno.writeTextFile(privateKeyFile, pem);
  await Deno.writeTextFile(certificateFile, certificate.toString("pem"));
  await obtainToken({ ...test.account, privateKeyFile, certificateFile }, request);
  const form = test.form();
  assert.equal(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  assert.equal("client_secret" in form, false);
  const { header, payload } = await verifyJwt(form["client_assertion"] ?? "", {
    publicKey: keys.publicKey,
    signature: "RSA-PSS",
  });
  const thumbprint = createHash("sha256").update(new X509Certificate(certificate.toString("pem")).raw);
  assert.deepEqual(header, { alg: "PS256", typ: "JWT", "x5t#S256": thumbprint.digest("base64url") });
  assert.equal(payload.aud, test.endpoint.url);
  assert.equal(payload.iss, "client-1");
  assert.equal(payload.sub, "client-1");
  assert.ok(payload.exp - payload.iat <= 600 && payload.jti.length > 10);
});

Deno.test("service account grant acts for the mailbox with an assertion of Google's form", async () => {
  await using test = await setUp({ grant: "service_account", scope: "https://mail.google.com/" });
  const { keys, pem } = await generateRsaKeys();
  const privateKeyFile = join(test.folder, "key.json");
  const issuer = "robot@project.iam.gserviceaccount.com";
  await Deno.writeTextFile(privateKeyFile, JSON.stringify({ client_email: issuer, private_key: pem }));
  await obtainToken({ ...test.account, privateKeyFile }, request);
  const { assertion = "", ...form } = test.form();
  assert.deepEqual(form, { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer" });
  const { header, payload } = await verifyJwt(assertion, {
    publicKey: keys.publicKey,
    signature: "RSASSA-PKCS1-v1_5",
  });
  assert.deepEqual(header, { alg: "RS256", typ: "JWT" });
  assert.equal(payload.iss, issuer);
  assert.equal(payload.sub, "sender@example.com");
  assert.equal(payload.scope, "https://mail.google.com/");
  assert.equal(payload.aud, test.endpoint.url);
  assert.equal(payload.exp - payload.iat, 3600);
});

const unusable: readonly (readonly [why: string, text: string | undefined, reason: RegExp])[] = [
  ["is missing", undefined, /private_key_file can't be read: NotFound/],
  ["is no JSON", "{", /private_key_file holds no key file/],
  ["lacks the fields", "{}", /private_key_file holds no key file/],
  [
    "is no key",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    /private_key_file holds no key file/,
  ],
  ["is a key of another kind", ecKey(), /private_key_file holds no key file/],
];

for (const [why, text, reason] of unusable) {
  Deno.test(`service account grant with a key file that ${why} names it, and makes no request`, async () => {
    await using test = await setUp({ grant: "service_account" });
    const privateKeyFile = join(test.folder, "key.json");
    if (text !== undefined) await Deno.writeTextFile(privateKeyFile, text);
    await assert.rejects(obtainToken({ ...test.account, privateKeyFile }, request), (error) => {
      assert.ok(error instanceof TokenError);
      assert.deepEqual([error.code, error.isLocal], ["TOKEN_UNAVAILABLE", true]);
      assert.match(error.message, reason);
      assert.ok(error.remedy.includes(privateKeyFile));
      return true;
    });
    assert.equal(test.endpoint.requestCount, 0);
  });
}

function ecKey(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
    .export({ type: "pkcs8", format: "pem" }).toString();
}

for (const url of ["http://login.example.com/token", "http://10.0.0.1/token", "ftp://localhost/", "no url"]) {
  Deno.test(`requireProtectedUrl refuses ${url}`, () => {
    assert.throws(() => requireProtectedUrl(url), TypeError);
  });
}

Deno.test("authorization code grant asks Google for offline access with a consent screen", async () => {
  const provider = testProvider({
    tokenUrl: "https://oauth2.googleapis.com/token",
    authorizationUrl: "https://accounts.google.com/o/oauth2/v2/auth",
  });
  const { url, state } = await startAuthorizationCode(testAccount({ provider }), {
    redirectUri: "http://127.0.0.1:9090/oauth/callback",
    loginHint: "sender@example.com",
  });
  const { code_challenge, ...parameters } = Object.fromEntries(new URL(url).searchParams);
  assert.match(code_challenge ?? "", /^[\w-]{43}$/);
  assert.deepEqual(parameters, {
    client_id: "client-1",
    response_type: "code",
    redirect_uri: "http://127.0.0.1:9090/oauth/callback",
    state,
    code_challenge_method: "S256",
    scope: "smtp offline_access",
    login_hint: "sender@example.com",
    access_type: "offline",
    prompt: "consent",
  });
});

const refusedCallbacks: [why: string, query: (state: string) => string, expected: RegExp][] = [
  ["another state", () => "code=x&state=other", /does not belong/],
  ["no state", () => "code=x", /does not belong/],
  ["a refusal", (state) => `error=access_denied&state=${state}`, /access_denied/],
];

for (const [why, query, expected] of refusedCallbacks) {
  Deno.test(`authorization code grant refuses a callback with ${why}`, async () => {
    await using test = await setUp();
    const pending = await startAuthorizationCode(test.account, { redirectUri: "http://localhost/" });
    const callbackUrl = `http://localhost/?${query(pending.state)}`;
    await assert.rejects(
      finishAuthorizationCode({ pending, callbackUrl }, { ...request, client: test.account }),
      { name: "TokenError", message: expected },
    );
    assert.equal(test.endpoint.requestCount, 0);
  });
}

Deno.test("authorization code grant says so when no refresh token comes", async () => {
  await using test = await setUp();
  const pending = await startAuthorizationCode(test.account, { redirectUri: "http://localhost/" });
  const callbackUrl = `http://localhost/?code=x&state=${pending.state}`;
  await assert.rejects(
    finishAuthorizationCode({ pending, callbackUrl }, { ...request, client: test.account }),
    /no refresh token/,
  );
});

const deviceBody = {
  device_code: "device-1",
  user_code: "ABCD-EFGH",
  verification_uri: "https://login.example.com/device",
  expires_in: 900,
  interval: 2,
};
const deviceAnswer: TokenAnswer = { body: deviceBody };

Deno.test("device code grant waits while the user signs in, and slows down when told", async () => {
  await using test = await setUp();
  test.endpoint.once(deviceAnswer);
  const client = test.account;
  const pending = await startDeviceCode({ ...request, client, now: () => 0 });
  assert.deepEqual(test.form(), { client_id: "client-1", scope: "smtp offline_access" });
  assert.equal(pending.userCode, "ABCD-EFGH");
  assert.equal(pending.expiresAtMs, 900_000);
  test.endpoint.once({ status: 400, body: { error: "authorization_pending" } });
  assert.deepEqual(await pollDeviceCode(pending, { ...request, client }), {
    state: "pending",
    intervalMs: 2000,
  });
  test.endpoint.once({ status: 400, body: { error: "slow_down" } });
  assert.deepEqual(await pollDeviceCode(pending, { ...request, client }), {
    state: "pending",
    intervalMs: 7000,
  });
  test.endpoint.once({
    body: { access_token: "token-1", token_type: "Bearer", expires_in: 60, refresh_token: "refresh-1" },
  });
  const poll = await pollDeviceCode(pending, { ...request, client });
  assert.ok(poll.state === "granted");
  assert.equal(poll.tokens.refreshToken, "refresh-1");
  assert.equal(test.form()["device_code"], "device-1");
});

Deno.test("device code grant runs to its end by itself", async () => {
  await using test = await setUp();
  test.endpoint.once(deviceAnswer);
  const client = test.account;
  const pending = { ...await startDeviceCode({ ...request, client }), intervalMs: 1 };
  for (let count = 0; count < 3; count++) {
    test.endpoint.once({ status: 400, body: { error: "authorization_pending" } });
  }
  test.endpoint.once({ body: { access_token: "token-1", token_type: "Bearer", refresh_token: "refresh-1" } });
  const tokens = await waitForDeviceCode(pending, { ...request, client });
  assert.equal(tokens.refreshToken, "refresh-1");
  assert.equal(test.endpoint.requestCount, 5);
});

for (const error of ["authorization_declined", "access_denied", "expired_token", "bad_verification_code"]) {
  Deno.test(`device code grant ends at ${error}`, async () => {
    await using test = await setUp();
    test.endpoint.once(deviceAnswer);
    const client = test.account;
    const pending = { ...await startDeviceCode({ ...request, client }), intervalMs: 1 };
    test.endpoint.once({ status: 400, body: { error } });
    await assert.rejects(waitForDeviceCode(pending, { ...request, client }), {
      code: "NEEDS_AUTHORIZATION",
      error,
    });
  });
}

for (const [interval, intervalMs] of [[0.001, 1000], [1e9, 60_000], [undefined, 5000]]) {
  Deno.test(`device code grant polls every ${intervalMs} ms for an interval of ${interval}`, async () => {
    await using test = await setUp();
    test.endpoint.once({ body: { ...deviceBody, interval } });
    assert.equal((await startDeviceCode({ ...request, client: test.account })).intervalMs, intervalMs);
  });
}

Deno.test("device code grant polls for an hour at most", async () => {
  await using test = await setUp();
  test.endpoint.once({ body: { ...deviceBody, expires_in: 1e13 } });
  const pending = await startDeviceCode({ ...request, client: test.account, now: () => 0 });
  assert.equal(pending.expiresAtMs, 3_600_000);
});

const unshowable: [field: string, value: string][] = [
  ["user_code", "AB\x1b[31m"],
  ["user_code", "AB\r\nCD"],
  ["verification_uri", "javascript:alert(1)"],
  ["verification_uri", "https://login.example.com/\x1b[2J"],
  ["verification_uri", "login"],
  ["verification_uri_complete", "data:text/html,x"],
];

for (const [field, value] of unshowable) {
  Deno.test(`device code grant shows nobody the ${field} ${Deno.inspect(value)}`, async () => {
    await using test = await setUp();
    test.endpoint.once({ body: { ...deviceBody, [field]: value } });
    await assert.rejects(startDeviceCode({ ...request, client: test.account }), {
      code: "TOKEN_UNAVAILABLE",
      message: `Cannot obtain an access token: the token endpoint's answer has no usable ${field}`,
    });
  });
}

Deno.test("device code grant ends with the code's life when a poll is never answered", async () => {
  await using test = await setUp();
  test.endpoint.once({ body: { ...deviceBody, expires_in: 1 } });
  const client = test.account;
  const pending = { ...await startDeviceCode({ ...request, client }), intervalMs: 1 };
  test.endpoint.always("hang");
  await assert.rejects(waitForDeviceCode(pending, { ...request, client }), { error: "expired_token" });
  assert.equal(test.endpoint.requestCount, 2);
});

Deno.test("device code grant ends its wait when its signal aborts", async () => {
  await using test = await setUp();
  test.endpoint.once(deviceAnswer);
  const client = test.account;
  const pending = { ...await startDeviceCode({ ...request, client }), intervalMs: 60_000 };
  const controller = new AbortController();
  const waiting = waitForDeviceCode(pending, { client, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});
