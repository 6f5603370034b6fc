import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { requestWithClientCredentials } from "./client_credentials.ts";
import { requestWithRefreshToken } from "./refresh_token.ts";
import { requestWithServiceAccount } from "./service_account.ts";
import type { TokenRequestOptions } from "./token_request.ts";

/**
 * Makes one request with the account's grant, whichever that is. Only a grant that is a refresh token is rotated: one that
 * comes with another grant's answer is of no use (RFC 6749 §4.4.3).
 *
 * @throws {TokenError} For a failure of the endpoint or the way to it.
 * @throws {Error} If a key or certificate file of the account can't be used.
 * @throws The signal's reason when it aborted.
 */
export async function obtainToken(account: Account, request: TokenRequestOptions): Promise<GrantedTokens> {
  if (account.grant === "refresh_token") return await requestWithRefreshToken(account, request);
  const { refreshToken: _needless, ...tokens } = account.grant === "client_credentials"
    ? await requestWithClientCredentials(account, request)
    : await requestWithServiceAccount(account, request);
  return tokens;
}
