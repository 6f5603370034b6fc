import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { requestWithClientCredentials } from "./client_credentials.ts";
import { requestWithRefreshToken } from "./refresh_token.ts";
import { requestWithServiceAccount } from "./service_account.ts";
import type { TokenRequestOptions } from "./token_request.ts";

/**
 * Makes one request with the account's grant, whichever that is.
 *
 * @throws {TokenError} For a failure of the endpoint or the way to it.
 * @throws {Error} If a key or certificate file of the account can't be used.
 * @throws The signal's reason when it aborted.
 */
export function obtainToken(account: Account, request: TokenRequestOptions): Promise<GrantedTokens> {
  switch (account.grant) {
    case "refresh_token":
      return requestWithRefreshToken(account, request);
    case "client_credentials":
      return requestWithClientCredentials(account, request);
    case "service_account":
      return requestWithServiceAccount(account, request);
  }
}
