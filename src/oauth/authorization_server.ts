/** The provider as oauth4webapi wants it described: metadata, client and the options of a request. */

import * as oauth from "oauth4webapi";
import type { Account } from "../accounts/account.ts";
import { isLoopbackHost } from "../config/loopback_host.ts";
import type { TokenRequestOptions } from "./token_request.ts";
import { tokenFetch } from "./token_request.ts";

/** The part of an account that the interactive grants need, so that they run before there is an account. */
export type OAuthClient = Pick<
  Account,
  "clientId" | "clientSecret" | "privateKeyFile" | "certificateFile" | "scope" | "provider"
>;

/** What every request to one authorization server shares. */
export interface ServerAccess {
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  /** Makes the options of one request: signal, transport and whether plain http is allowed. */
  readonly options: (request: TokenRequestOptions) => oauth.TokenEndpointRequestOptions;
}

const issuers: ReadonlyMap<string, string> = new Map([
  ["oauth2.googleapis.com", "https://accounts.google.com"],
]);

/**
 * Describes the authorization server of a client.
 *
 * @throws {TypeError} If one of its URLs is neither https nor http to this machine.
 */
export function serverAccess(client: OAuthClient): ServerAccess {
  const { tokenUrl, authorizationUrl, deviceAuthorizationUrl } = client.provider;
  const urls = [tokenUrl, authorizationUrl, deviceAuthorizationUrl].filter((url) => url !== undefined);
  for (const url of urls) requireProtectedUrl(url);
  return {
    server: {
      issuer: knownIssuer(tokenUrl) ?? new URL(tokenUrl).origin,
      token_endpoint: tokenUrl,
      ...(authorizationUrl === undefined ? {} : { authorization_endpoint: authorizationUrl }),
      ...(deviceAuthorizationUrl === undefined
        ? {}
        : { device_authorization_endpoint: deviceAuthorizationUrl }),
    },
    client: { client_id: client.clientId },
    options: (request) => ({
      signal: request.signal,
      // Only URLs that passed requireProtectedUrl come here: plain http means loopback.
      [oauth.allowInsecureRequests]: urls.some((url) => new URL(url).protocol === "http:"),
      [oauth.customFetch]: tokenFetch(request),
    }),
  };
}

/** The issuer (RFC 8414 §2) of a token endpoint where it is known for certain. */
export function knownIssuer(tokenUrl: string): string | undefined {
  return issuers.get(new URL(tokenUrl).hostname);
}

/**
 * RFC 6749 §3.1 and §3.2 want TLS; http stays for a provider on this machine.
 *
 * @throws {TypeError} If the URL is anything else.
 */
export function requireProtectedUrl(url: string): void {
  const parsed = URL.parse(url);
  if (parsed?.protocol === "https:") return;
  if (parsed?.protocol === "http:" && isLoopbackHost(parsed.hostname)) return;
  throw new TypeError(
    `Cannot use "${
      parsed === null ? url : parsed.origin
    }": an OAuth URL has to be https, or http to loopback`,
  );
}
