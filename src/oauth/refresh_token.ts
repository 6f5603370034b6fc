import * as oauth from "oauth4webapi";
import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { serverAccess } from "./authorization_server.ts";
import { clientAuthentication } from "./client_authentication.ts";
import { TokenError } from "./token_error.ts";
import { requestTokens, type TokenRequestOptions } from "./token_request.ts";

/**
 * Trades the account's refresh token for an access token (RFC 6749 §6). The result has a refresh token only when the
 * endpoint rotated it.
 *
 * @throws {TokenError} With the rotated refresh token, if one came.
 */
export async function requestWithRefreshToken(
  account: Account,
  request: TokenRequestOptions,
): Promise<GrantedTokens> {
  const { refreshToken } = account;
  if (refreshToken === undefined) {
    throw new TokenError("NEEDS_AUTHORIZATION", "the account has no refresh token", {
      remedy: "Authorize the account, or put its refresh token into refresh_token",
    });
  }
  const { server, client, options } = serverAccess(account);
  const authentication = await clientAuthentication(account);
  const scope = refreshScope(account);
  let rotated: string | undefined;
  const onRefreshToken = (token: string) => rotated = token;
  try {
    return await requestTokens(request, async () => {
      const response = await oauth.refreshTokenGrantRequest(server, client, authentication, refreshToken, {
        ...options({ ...request, onRefreshToken }),
        ...(scope === undefined ? {} : { additionalParameters: { scope } }),
      });
      return await oauth.processRefreshTokenResponse(server, client, response);
    });
  } catch (error) {
    if (!(error instanceof TokenError) || rotated === undefined) throw error;
    throw error.withRefreshToken(rotated);
  }
}

/**
 * Microsoft's newer endpoint takes the resource from the scope, so it is sent; its older one for personal accounts
 * (login.live.com) knows other scopes and keeps to those of the grant.
 */
function refreshScope(account: Account): string | undefined {
  if (account.scope !== undefined) return account.scope;
  return new URL(account.provider.tokenUrl).hostname === "login.live.com"
    ? undefined
    : account.provider.scope;
}
