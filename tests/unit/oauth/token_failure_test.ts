import assert from "node:assert/strict";
import { tokenErrorFromAnswer, unreachableError } from "../../../src/oauth/token_failure.ts";
import type { TokenError } from "../../../src/oauth/token_error.ts";

interface Row {
  readonly why: string;
  readonly status: number;
  readonly body?: Record<string, unknown> | string;
  readonly headers?: Record<string, string>;
  readonly code: TokenError["code"];
  readonly remedy: RegExp;
}

const lasting = "NEEDS_AUTHORIZATION";
const passing = "TOKEN_UNAVAILABLE";

const rows: Row[] = [
  {
    why: "revoked",
    status: 400,
    body: { error: "invalid_grant" },
    code: lasting,
    remedy: /Authorize .* again/,
  },
  {
    why: "Entra's request loop, which only sounds revoked",
    status: 400,
    body: { error: "invalid_grant", error_codes: [50196] },
    code: passing,
    remedy: /fewer/,
  },
  {
    why: "session revoked",
    status: 400,
    body: { error: "invalid_grant", error_codes: [50173] },
    code: lasting,
    remedy: /session or token was revoked/,
  },
  {
    why: "MFA",
    status: 400,
    body: { error: "interaction_required", error_codes: [50076] },
    code: lasting,
    remedy: /multi-factor/,
  },
  { why: "consent", status: 400, body: { error: "consent_required" }, code: lasting, remedy: /consent/ },
  { why: "sign-in", status: 400, body: { error: "login_required" }, code: lasting, remedy: /sign in/ },
  {
    why: "secret expired",
    status: 401,
    body: { error: "invalid_client", error_codes: [7000222] },
    code: lasting,
    remedy: /new client secret/,
  },
  {
    why: "wrong secret",
    status: 401,
    body: { error: "invalid_client", error_codes: [7000215] },
    code: lasting,
    remedy: /value, not its id/,
  },
  {
    why: "no body, only a challenge",
    status: 401,
    headers: { "www-authenticate": 'Bearer realm="x", error="invalid_client"' },
    code: lasting,
    remedy: /client_id and client_secret/,
  },
  {
    why: "a challenge beside the body",
    status: 401,
    body: { error: "invalid_client" },
    headers: { "www-authenticate": "Basic" },
    code: lasting,
    remedy: /client_id/,
  },
  {
    why: "delegation missing",
    status: 401,
    body: { error: "unauthorized_client" },
    code: lasting,
    remedy: /delegation/,
  },
  {
    why: "grant unknown",
    status: 400,
    body: { error: "unsupported_grant_type" },
    code: lasting,
    remedy: /grant/,
  },
  {
    why: "scope",
    status: 400,
    body: { error: "invalid_scope", error_codes: [70011] },
    code: lasting,
    remedy: /scope/,
  },
  {
    why: "tenant",
    status: 400,
    body: { error: "invalid_request", error_codes: [90002] },
    code: lasting,
    remedy: /tenant/,
  },
  { why: "resource", status: 400, body: { error: "invalid_resource" }, code: lasting, remedy: /scope/ },
  {
    why: "Google's deleted client",
    status: 401,
    body: { error: "deleted_client" },
    code: lasting,
    remedy: /anew/,
  },
  {
    why: "Workspace policy",
    status: 400,
    body: { error: "admin_policy_enforced" },
    code: lasting,
    remedy: /administrator/,
  },
  {
    why: "Entra's own fault",
    status: 400,
    body: { error: "invalid_grant", error_codes: [90033] },
    code: passing,
    remedy: /./,
  },
  {
    why: "tenant throttled",
    status: 400,
    body: { error: "invalid_request", error_codes: [90055] },
    code: passing,
    remedy: /fewer/,
  },
  { why: "by its name", status: 400, body: { error: "temporarily_unavailable" }, code: passing, remedy: /./ },
  { why: "by its name", status: 400, body: { error: "server_error" }, code: passing, remedy: /./ },
  {
    why: "5xx, whatever it says",
    status: 503,
    body: { error: "invalid_grant" },
    code: passing,
    remedy: /fault of its own/,
  },
  {
    why: "5xx with a page",
    status: 502,
    body: "<html>Bad gateway</html>",
    code: passing,
    remedy: /fault of its own/,
  },
  {
    why: "too many requests, as text",
    status: 429,
    body: "Too Many Requests",
    code: passing,
    remedy: /fewer/,
  },
  {
    why: "captive portal",
    status: 302,
    headers: { location: "http://portal/" },
    code: passing,
    remedy: /web proxy/,
  },
  { why: "a page", status: 403, body: "<html>blocked</html>", code: passing, remedy: /web proxy/ },
  { why: "wrong address", status: 404, body: "not found", code: passing, remedy: /oauth_token_url/ },
  {
    why: "an error nobody knows",
    status: 400,
    body: { error: "rate_limit_exceeded" },
    code: passing,
    remedy: /./,
  },
];

for (const { why, status, body = "", headers = {}, code, remedy } of rows) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  Deno.test(`tokenErrorFromAnswer calls ${status} ${text || JSON.stringify(headers)} ${code}: ${why}`, () => {
    const error = tokenErrorFromAnswer({ status, headers: new Headers(headers), text }, 0);
    assert.equal(error.code, code);
    assert.match(error.remedy, remedy);
    assert.equal(error.status, status);
  });
}

Deno.test("tokenErrorFromAnswer keeps identifiers and leaves the description out", () => {
  const text = JSON.stringify({
    error: "invalid_grant",
    error_description: "AADSTS50173: joe@example.com changed his password",
    error_codes: [50173],
    correlation_id: "11111111-2222-3333-4444-555555555555",
    trace_id: "aaaaaaaa-2222-3333-4444-555555555555",
  });
  const error = tokenErrorFromAnswer({ status: 400, headers: new Headers(), text }, 0);
  assert.equal(error.error, "invalid_grant");
  assert.deepEqual(error.errorCodes, [50173]);
  assert.equal(error.correlationId, "11111111-2222-3333-4444-555555555555");
  assert.equal(error.traceId, "aaaaaaaa-2222-3333-4444-555555555555");
  assert.match(error.message, /400 invalid_grant, AADSTS50173$/);
  assert.doesNotMatch(`${error.message} ${error.remedy} ${error.stack}`, /joe/);
});

Deno.test("tokenErrorFromAnswer reads no error name that is not a plain word", () => {
  const text = JSON.stringify({ error: "x\r\nInjected: line" });
  const error = tokenErrorFromAnswer({ status: 400, headers: new Headers(), text }, 0);
  assert.equal(error.error, undefined);
  assert.doesNotMatch(error.message, /Injected/);
});

const retryAfterRows: [value: string, expectedMs: number | undefined][] = [
  ["60", 60_000],
  ["Thu, 01 Jan 1970 00:02:00 GMT", 110_000],
  ["Thu, 01 Jan 1970 00:00:01 GMT", 0],
  ["999999", 3_600_000],
  ["soon", undefined],
];

for (const [value, expectedMs] of retryAfterRows) {
  Deno.test(`tokenErrorFromAnswer reads Retry-After: ${value}`, () => {
    const headers = new Headers({ "retry-after": value });
    const error = tokenErrorFromAnswer({ status: 429, headers, text: "" }, 10_000);
    assert.equal(error.retryAfterMs, expectedMs);
    assert.equal(error.throttled, true);
  });
}

const reach = "error sending request for url (https://user:pa55@login.example/Expired/token?code=s3cret): ";
const faults: [why: string, message: string, expected: RegExp][] = [
  ["DNS", "client error (Connect): dns error: failed to lookup address information", /: DNS lookup failed$/],
  ["refusal", "tcp connect error: Connection refused (os error 111)", /: connection refused$/],
  ["reset", "client error (SendRequest): connection error: reset (os error 104)", /: connection reset$/],
  ["route", "tcp connect error: Network is unreachable (os error 101)", /: no route to the host$/],
  [
    "hang-up",
    "client error (SendRequest): connection closed before message completed",
    /: connection closed$/,
  ],
  ["TLS issuer", "invalid peer certificate: UnknownIssuer", /: TLS: the certificate is not signed by a/],
  ["TLS handshake", "client error (Connect): tls handshake eof", /: TLS: the connection was closed/],
  ["what nobody knows", "client error: what", /can't be reached$/],
];

for (const [why, message, expected] of faults) {
  Deno.test(`unreachableError names host and cause, and no more of the address: ${why}`, () => {
    const cause = new TypeError("fetch failed", { cause: new Error(`${reach}${message}`) });
    const error = unreachableError(cause);
    assert.equal(error.code, "TOKEN_UNAVAILABLE");
    assert.match(error.message, /the token endpoint login\.example can't be reached/);
    assert.match(error.message, expected);
    assert.doesNotMatch(`${error.message} ${error.remedy}`, /s3cret|pa55|token\?|expired/);
  });
}

Deno.test("unreachableError takes the words of a real refusal", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const refused = await fetch(`http://127.0.0.1:${port}/token?code=s3cret`).catch((error) => error);
  const { message } = unreachableError(refused);
  assert.ok(
    message.endsWith(`the token endpoint 127.0.0.1:${port} can't be reached: connection refused`),
    message,
  );
});

Deno.test("unreachableError does not guess a host that nothing names", () => {
  assert.match(unreachableError(new TypeError("no")).message, /the token endpoint can't be reached$/);
});

Deno.test("tokenErrorFromAnswer tells nothing of an error that may be the token that was sent", () => {
  const text = JSON.stringify({ error: "0ARefreshTokenThatIsOpaque" });
  const { message } = tokenErrorFromAnswer({ status: 400, headers: new Headers(), text }, 0);
  assert.equal(message, "Cannot obtain an access token: the token endpoint answered 400");
});
