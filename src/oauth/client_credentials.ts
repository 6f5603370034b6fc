import * as oauth from "oauth4webapi";
import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { serverAccess } from "./authorization_server.ts";
import { clientAuthentication } from "./client_authentication.ts";
import { requestTokens, type TokenRequestOptions } from "./token_request.ts";

/**
 * Obtains an access token for the app itself (RFC 6749 §4.4), by secret or by certificate. There is never a refresh
 * token (RFC 6749 §4.4.3).
 *
 * @throws {TokenError}
 */
export async function requestWithClientCredentials(
  account: Account,
  request: TokenRequestOptions,
): Promise<GrantedTokens> {
  const { server, client, options } = serverAccess(account);
  const authentication = await clientAuthentication(account);
  const scope = account.scope ?? account.provider.clientCredentialsScope ?? account.provider.scope;
  return await requestTokens(request, async () => {
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      authentication,
      scope === undefined ? {} : { scope },
      options(request),
    );
    return await oauth.processClientCredentialsResponse(server, client, response);
  });
}
