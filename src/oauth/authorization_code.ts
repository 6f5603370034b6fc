/** The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636), in two steps around the user's browser. */

import * as oauth from "oauth4webapi";
import type { GrantedTokens } from "./access_token.ts";
import { knownIssuer, type OAuthClient, serverAccess } from "./authorization_server.ts";
import { clientAuthentication } from "./client_authentication.ts";
import { TokenError } from "./token_error.ts";
import { requestTokens, type TokenRequestOptions } from "./token_request.ts";

/** An authorization under way. `state` and `verifier` are secrets until it is finished. */
export interface PendingAuthorization {
  /** Where the user's browser goes. */
  readonly url: string;
  /** Comes back with the callback and finds this authorization again (RFC 6749 §10.12). */
  readonly state: string;
  /** PKCE code verifier. */
  readonly verifier: string;
  readonly redirectUri: string;
}

/** How an authorization starts. */
export interface StartOptions {
  /** Where the provider sends the browser back to; registered with the app. */
  readonly redirectUri: string;
  /** Mailbox that the sign-in page should suggest. */
  readonly loginHint?: string;
}

/**
 * Prepares the URL for the user's browser.
 *
 * @throws {TypeError} If the provider has no authorization endpoint.
 */
export async function startAuthorizationCode(
  client: OAuthClient,
  options: StartOptions,
): Promise<PendingAuthorization> {
  const { authorization_endpoint: endpoint } = serverAccess(client).server;
  if (endpoint === undefined) {
    throw new TypeError(
      `Cannot authorize in a browser: provider "${client.provider.name}" has no authorization_url`,
    );
  }
  const state = oauth.generateRandomState();
  const verifier = oauth.generateRandomCodeVerifier();
  const url = new URL(endpoint);
  const parameters = {
    client_id: client.clientId,
    response_type: "code",
    redirect_uri: options.redirectUri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...scopeParameter(client),
    ...(options.loginHint === undefined ? {} : { login_hint: options.loginHint }),
    ...offlineParameters(url.hostname),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, state, verifier, redirectUri: options.redirectUri };
}

/** An authorization and the URL with which the browser came back, received or pasted by the user. */
export interface FinishedAuthorization {
  readonly pending: PendingAuthorization;
  readonly callbackUrl: string;
}

/**
 * Trades the code in the callback for tokens.
 *
 * @returns Tokens with a refresh token.
 * @throws {TokenError} If the user or the provider refused, the callback belongs to another authorization, or no
 * refresh token came.
 */
export async function finishAuthorizationCode(
  { pending, callbackUrl }: FinishedAuthorization,
  { client: oauthClient, ...request }: TokenRequestOptions & { readonly client: OAuthClient },
): Promise<GrantedTokens & { readonly refreshToken: string }> {
  const { server, client, options } = serverAccess(oauthClient);
  const parameters = callbackParameters(callbackUrl, oauthClient.provider.tokenUrl);
  const validated = validateCallback(() =>
    oauth.validateAuthResponse(server, client, parameters, pending.state)
  );
  const authentication = await clientAuthentication(oauthClient);
  const tokens = await requestTokens(request, async () => {
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      validated,
      pending.redirectUri,
      pending.verifier,
      options(request),
    );
    return await oauth.processAuthorizationCodeResponse(server, client, response);
  });
  return requireRefreshToken(tokens);
}

/**
 * The point of an interactive grant here is the refresh token.
 *
 * @throws {TokenError} If there is none.
 */
export function requireRefreshToken(
  tokens: GrantedTokens,
): GrantedTokens & { readonly refreshToken: string } {
  const { refreshToken } = tokens;
  if (refreshToken !== undefined) return { ...tokens, refreshToken };
  throw new TokenError("NEEDS_AUTHORIZATION", "the provider gave no refresh token", {
    remedy: "Ask for offline access in scope (Microsoft: offline_access), and authorize again",
  });
}

function scopeParameter(client: OAuthClient): { scope?: string } {
  const scope = client.scope ?? client.provider.scope;
  return scope === undefined ? {} : { scope };
}

/** Google gives a refresh token only for offline access, and after the first time only with a consent screen. */
function offlineParameters(hostname: string): Record<string, string> {
  return hostname === "accounts.google.com" ? { access_type: "offline", prompt: "consent" } : {};
}

/** `iss` (RFC 9207) can only be checked against an issuer that is known; `state` binds the callback in any case. */
function callbackParameters(callbackUrl: string, tokenUrl: string): URLSearchParams {
  const parameters = new URLSearchParams(URL.parse(callbackUrl)?.search ?? "");
  if (knownIssuer(tokenUrl) === undefined) parameters.delete("iss");
  return parameters;
}

function validateCallback(validate: () => URLSearchParams): URLSearchParams {
  try {
    return validate();
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) {
      const name = /^[a-z_]{1,64}$/.test(error.error) ? error.error : "an error";
      throw new TokenError("NEEDS_AUTHORIZATION", `the provider answered the authorization with ${name}`, {
        error: name,
        remedy: "Authorize again, sign in as the mailbox's user and allow the access",
      });
    }
    // No cause: it holds the callback's parameters, the code among them.
    if (error instanceof oauth.OperationProcessingError) {
      throw new TokenError("NEEDS_AUTHORIZATION", "the callback does not belong to this authorization", {
        remedy: "Start the authorization again, and paste the whole URL that the browser ends at",
      });
    }
    throw error;
  }
}
