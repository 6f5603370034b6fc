/** Turns what a token endpoint answered, or failed to answer, into a `TokenError`: lasting or passing, and why. */

import { entraRemedy, isEntraThrottling, isTransientEntraFailure } from "./entra_error_codes.ts";
import { TokenError } from "./token_error.ts";

/** An answer of a token or device authorization endpoint, read to its end. */
export interface EndpointAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const longestRetryAfterMs = 3_600_000;
const authorizeAgain = "Authorize the account again";

/**
 * Errors that last until somebody acts, with the remedy. RFC 6749 §5.2 (invalid_scope with §4.1.2.1), OpenID Connect
 * Core §3.1.2.6, and names that Google and Microsoft use beside them.
 */
const lastingErrors: ReadonlyMap<string, string> = new Map([
  ["invalid_grant", `${authorizeAgain}: the grant has expired or was revoked`],
  ["interaction_required", `${authorizeAgain}: the provider wants the user to sign in`],
  ["consent_required", `${authorizeAgain} and consent to the scopes`],
  ["login_required", `${authorizeAgain}: the provider wants the user to sign in`],
  ["access_denied", `${authorizeAgain} and allow the access, or ask the administrator to`],
  ["authorization_declined", `${authorizeAgain} and allow the access`],
  ["expired_token", "Start the authorization again: the device code has expired"],
  ["bad_verification_code", "Start the authorization again: the device code is not known"],
  ["invalid_client", "Check client_id and client_secret: the provider does not accept them"],
  [
    "unauthorized_client",
    "Check that the app may use this grant and scope (for a service account: domain-wide delegation)",
  ],
  ["unsupported_grant_type", "Check grant and oauth_token_url: the endpoint does not know the grant"],
  ["invalid_scope", "Check scope: the provider does not grant it to this app"],
  [
    "invalid_request",
    "Check client_id, client_secret, tenant and oauth_token_url: the provider calls the request malformed",
  ],
  ["invalid_resource", "Check scope: the provider does not know the resource"],
  ["invalid_target", "Check scope: the provider does not know the resource"],
  ["deleted_client", "Register the app anew: its client was deleted"],
  ["disabled_client", "Ask the provider to enable the app's client again"],
  ["admin_policy_enforced", "Ask the Workspace administrator to trust the app"],
  ["org_internal", "Use an app of the account's own organization, or make the app external"],
]);

/**
 * Classifies an answer that holds no token.
 *
 * @param nowMs Wall clock, for a Retry-After with a date.
 */
export function tokenErrorFromAnswer(answer: EndpointAnswer, nowMs: number): TokenError {
  const body = parseObject(answer.text);
  const error = errorName(body?.["error"]) ?? challengeError(answer.headers);
  const errorCodes = numbers(body?.["error_codes"]);
  const { status } = answer;
  const details = {
    error,
    errorCodes,
    status,
    correlationId: identifier(body?.["correlation_id"]),
    traceId: identifier(body?.["trace_id"]),
    retryAfterMs: retryAfterMs(answer.headers.get("retry-after"), nowMs),
  };
  const what = describe(status, { error, errorCodes });
  if (status === 429 || isEntraThrottling(errorCodes)) {
    const remedy = "Wait: the provider asks for fewer token requests";
    return new TokenError("TOKEN_UNAVAILABLE", what, { ...details, remedy, throttled: true });
  }
  const lasting = error === undefined ? undefined : lastingErrors.get(error);
  if (status < 500 && lasting !== undefined && !isTransientEntraFailure(errorCodes)) {
    return new TokenError("NEEDS_AUTHORIZATION", what, {
      ...details,
      remedy: entraRemedy(errorCodes) ?? lasting,
    });
  }
  return new TokenError("TOKEN_UNAVAILABLE", what, { ...details, remedy: passingRemedy(status) });
}

/**
 * An answer with status 200 that is no token response, such as a captive portal's page.
 *
 * @param field What the answer lacks or has wrong, where it is known and no token.
 */
export function malformedAnswerError(status: number, field?: string): TokenError {
  if (field !== undefined) {
    return new TokenError("TOKEN_UNAVAILABLE", `the token endpoint's answer has no usable ${field}`, {
      status,
      remedy: "Check the provider's OAuth URLs, and report the answer to the provider",
    });
  }
  return new TokenError("TOKEN_UNAVAILABLE", "the token endpoint's answer holds no token", {
    status,
    remedy: "Check oauth_token_url, and that no web proxy or login page answers in the provider's place",
  });
}

/**
 * A request without an answer: no connection, a reset, a certificate that does not hold, time run out. The message has
 * the cause where `cause` tells it, and the host, and nothing else of the address.
 *
 * @param host Of the endpoint; default: what `cause` says of it.
 */
export function unreachableError(cause: unknown, host?: string): TokenError {
  const timedOut = cause instanceof DOMException && cause.name === "TimeoutError";
  const endpoint = ["the token endpoint", host ?? hostIn(textOf(cause))].filter(Boolean).join(" ");
  return new TokenError(
    "TOKEN_UNAVAILABLE",
    timedOut ? `${endpoint} did not answer in time` : `${endpoint} can't be reached${faultIn(textOf(cause))}`,
    { cause, remedy: "Check the network, DNS and firewall between this host and the token endpoint" },
  );
}

/** What reqwest, rustls and the system say below Deno's "fetch failed", and what an operator calls it. */
const networkFaults: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/dns error|failed to lookup address/, "DNS lookup failed"],
  [/UnknownIssuer/, "TLS: the certificate is not signed by a trusted authority"],
  [/not valid for name|NotValidForName/, "TLS: the certificate is of another host"],
  [/certificate expired|Expired/, "TLS: the certificate has expired"],
  [/not valid yet|NotValidYet/, "TLS: the certificate is not valid yet"],
  [/InvalidContentType|corrupt message/, "TLS: the server does not speak it at this port"],
  [/tls handshake eof/, "TLS: the connection was closed during the handshake"],
  [/invalid peer certificate/, "TLS: the certificate does not hold"],
  [/ProtocolVersion|HandshakeFailure|received fatal alert/, "TLS: the server refuses the handshake"],
  // The numbers are those of Linux, macOS and Windows.
  [/os error (?:111|61|10061)\)/, "connection refused"],
  [/os error (?:104|54|10054)\)/, "connection reset"],
  [/os error (?:101|113|51|65|10051|10065)\)/, "no route to the host"],
  [/os error (?:110|60|10060)\)/, "connecting timed out"],
  [/connection closed|unexpected EOF|end of file|IncompleteMessage/i, "connection closed"],
];

/** reqwest names the address it was asked for, query and all. */
const address = /https?:\/\/[^\s)]+/g;

function hostIn(text: string): string | undefined {
  return URL.parse(text.match(address)?.[0] ?? "")?.host;
}

function faultIn(text: string): string {
  const words = text.replaceAll(address, "");
  const fault = networkFaults.find(([pattern]) => pattern.test(words))?.[1];
  return fault === undefined ? "" : `: ${fault}`;
}

/** The messages of an error and of its causes. */
function textOf(error: unknown): string {
  const messages: string[] = [];
  for (let each = error; each instanceof Error && messages.length < 8; each = each.cause) {
    messages.push(each.message);
  }
  return messages.join(": ");
}

function passingRemedy(status: number): string {
  if (status >= 500) return "Wait: the provider has a fault of its own";
  if (status === 404) return "Check oauth_token_url and tenant: nothing answers there";
  return "Check oauth_token_url, and that no web proxy or login page answers in the provider's place";
}

function describe(
  status: number,
  { error, errorCodes }: { error: string | undefined; errorCodes: number[] },
) {
  const codes = errorCodes.length === 0 ? "" : `, AADSTS${errorCodes.join(", AADSTS")}`;
  return `the token endpoint answered ${status}${error === undefined ? "" : ` ${error}`}${codes}`;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * RFC 6749 §5.2 allows nearly all of ASCII. What is no word like those that are registered is not worth a line of the
 * log, and may be the token that was sent.
 */
function errorName(value: unknown): string | undefined {
  return typeof value === "string" && /^[a-z][a-z_]{0,63}$/.test(value) ? value : undefined;
}

/** The `error` attribute of a challenge (RFC 6750 §3), for endpoints that answer 401 without a body. */
function challengeError(headers: Headers): string | undefined {
  return errorName(/\berror="([^"]*)"/.exec(headers.get("www-authenticate") ?? "")?.[1]);
}

function identifier(value: unknown): string | undefined {
  return typeof value === "string" && /^[0-9A-Fa-f-]{8,64}$/.test(value) ? value : undefined;
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((item) => Number.isSafeInteger(item)).slice(0, 8) : [];
}

/** Seconds or a date (RFC 9110 §10.2.3), at most an hour. */
function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const delayMs = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(delayMs) ? undefined : Math.min(Math.max(delayMs, 0), longestRetryAfterMs);
}
