/** The device authorization grant (RFC 8628): the user signs in on another device, this one asks until it is done. */

import * as oauth from "oauth4webapi";
import type { GrantedTokens } from "./access_token.ts";
import { requireRefreshToken } from "./authorization_code.ts";
import { type OAuthClient, serverAccess } from "./authorization_server.ts";
import { clientAuthentication } from "./client_authentication.ts";
import { delay } from "../waiting/delay.ts";
import { malformedAnswerError } from "./token_failure.ts";
import { TokenError } from "./token_error.ts";
import { requestTokens, type TokenRequestOptions, translated } from "./token_request.ts";
import { withTimeout } from "../waiting/with_timeout.ts";

/** A device authorization under way. `deviceCode` is a secret; the rest is shown to the user. */
export interface PendingDeviceCode {
  readonly deviceCode: string;
  /** What the user types in. */
  readonly userCode: string;
  /** Where the user types it in. */
  readonly verificationUri: string;
  /** The same with the code filled in, where the provider has it. */
  readonly verificationUriComplete?: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** Least time between two polls. */
  readonly intervalMs: number;
}

/** Outcome of one poll: not yet, with the time to the next; or tokens. */
export type DeviceCodePoll =
  | { readonly state: "pending"; readonly intervalMs: number }
  | { readonly state: "granted"; readonly tokens: GrantedTokens & { readonly refreshToken: string } };

/** A device authorization and the client that started it. */
export interface DeviceCodeRequest extends TokenRequestOptions {
  readonly client: OAuthClient;
}

/** RFC 8628 §3.2: without an interval, 5 seconds. */
const defaultIntervalSeconds = 5;
/** What other intervals are taken for: neither is the endpoint flooded, nor does the user wait for long. */
const intervalLimitsSeconds = { least: 1, most: 60 };
/** Nobody enters a code later; polls would go on until then. */
const longestLifetimeSeconds = 3600;
/** RFC 8628 §3.5: `slow_down` adds 5 seconds for this and all later polls. */
const slowDownMs = 5000;
/** An answer that hasn't come by then is as good as lost. */
const pollTimeoutMs = 30_000;

/**
 * Asks the provider for a user code.
 *
 * @throws {TypeError} If the provider has no device authorization endpoint.
 * @throws {TokenError} Also if the answer has anything that can't be shown to the user.
 */
export async function startDeviceCode(request: DeviceCodeRequest): Promise<PendingDeviceCode> {
  const { provider, scope = provider.scope } = request.client;
  const { server, client, options } = serverAccess(request.client);
  if (server.device_authorization_endpoint === undefined) {
    throw new TypeError(
      `Cannot authorize by device code: provider "${provider.name}" has no device_authorization_url`,
    );
  }
  const sentAtMs = (request.now ?? Date.now)();
  const answer = await translated(request.signal, async () => {
    const parameters = scope === undefined ? {} : { scope };
    const response = await oauth.deviceAuthorizationRequest(
      server,
      client,
      // Public clients only name themselves here; secrets belong to the token request.
      oauth.None(),
      parameters,
      options(request),
    );
    return await oauth.processDeviceAuthorizationResponse(server, client, response);
  });
  requireShowable(answer);
  const { least, most } = intervalLimitsSeconds;
  return {
    deviceCode: answer.device_code,
    userCode: answer.user_code,
    verificationUri: answer.verification_uri,
    ...(answer.verification_uri_complete === undefined
      ? {}
      : { verificationUriComplete: answer.verification_uri_complete }),
    expiresAtMs: sentAtMs + Math.min(answer.expires_in, longestLifetimeSeconds) * 1000,
    intervalMs: Math.min(Math.max(answer.interval ?? defaultIntervalSeconds, least), most) * 1000,
  };
}

/** The user is shown the code in a page or a terminal, and follows the links. */
function requireShowable(answer: oauth.DeviceAuthorizationResponse): void {
  if (hasControlCharacters(answer.user_code)) throw malformedAnswerError(200, "user_code");
  for (const field of ["verification_uri", "verification_uri_complete"] as const) {
    const uri = answer[field];
    if (uri !== undefined && !isWebAddress(uri)) throw malformedAnswerError(200, field);
  }
}

function isWebAddress(uri: string): boolean {
  return !hasControlCharacters(uri) && /^https?:$/.test(URL.parse(uri)?.protocol ?? "");
}

function hasControlCharacters(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/**
 * Asks once whether the user is done.
 *
 * @throws {TokenError} If the user declined, the code has expired, or the endpoint failed.
 */
export async function pollDeviceCode(
  pending: PendingDeviceCode,
  request: DeviceCodeRequest,
): Promise<DeviceCodePoll> {
  const { server, client, options } = serverAccess(request.client);
  const authentication = await clientAuthentication(request.client);
  try {
    const tokens = await requestTokens(request, async () => {
      const response = await oauth.deviceCodeGrantRequest(
        server,
        client,
        authentication,
        pending.deviceCode,
        options(request),
      );
      return await oauth.processDeviceCodeResponse(server, client, response);
    });
    return { state: "granted", tokens: requireRefreshToken(tokens) };
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    if (error.error === "authorization_pending") return { state: "pending", intervalMs: pending.intervalMs };
    if (error.error === "slow_down") return { state: "pending", intervalMs: pending.intervalMs + slowDownMs };
    throw error;
  }
}

/**
 * Polls until the user is done, the code expires or the signal aborts. A poll has 30 seconds for its answer, and none
 * outlives the code.
 *
 * @throws {TokenError} As `pollDeviceCode`; passing failures of the endpoint are waited out (RFC 8628 §3.5).
 */
export async function waitForDeviceCode(
  pending: PendingDeviceCode,
  request: DeviceCodeRequest,
): Promise<GrantedTokens & { readonly refreshToken: string }> {
  const { signal, now = Date.now } = request;
  const leftMs = () => Math.max(pending.expiresAtMs - now(), 0);
  let current = pending;
  for (;;) {
    await delay(Math.min(current.intervalMs, leftMs()), signal);
    if (leftMs() === 0) throw expiredError();
    try {
      const poll = await withTimeout(
        (pollSignal) => pollDeviceCode(current, { ...request, signal: pollSignal }),
        { signal, timeoutMs: Math.min(pollTimeoutMs, leftMs()) },
      );
      if (poll.state === "granted") return poll.tokens;
      current = { ...current, intervalMs: poll.intervalMs };
    } catch (error) {
      if (!(error instanceof TokenError) || error.code !== "TOKEN_UNAVAILABLE") throw error;
      current = { ...current, intervalMs: current.intervalMs + slowDownMs };
    }
  }
}

function expiredError(): TokenError {
  return new TokenError("NEEDS_AUTHORIZATION", "the device code has expired", {
    error: "expired_token",
    remedy: "Start the authorization again, and enter the code in time",
  });
}
