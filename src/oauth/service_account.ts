import * as oauth from "oauth4webapi";
import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { serverAccess } from "./authorization_server.ts";
import { importRsaKey } from "./client_authentication.ts";
import { readKeyFile } from "./key_file.ts";
import { requestTokens, type TokenRequestOptions } from "./token_request.ts";

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/** Google takes assertions of up to an hour. */
const assertionLifetimeSeconds = 3600;

/**
 * Obtains an access token for a Google Workspace mailbox through a service account with domain-wide delegation: a
 * signed assertion as the grant (RFC 7523 §2.1).
 *
 * @throws {TokenError} Also if the account's key file can't be used.
 * @see Google, "Using OAuth 2.0 for Server to Server Applications".
 */
export async function requestWithServiceAccount(
  account: Account,
  request: TokenRequestOptions,
): Promise<GrantedTokens> {
  const { server, client, options } = serverAccess(account);
  const assertion = await signAssertion(account, server);
  return await requestTokens(request, async () => {
    const response = await oauth.genericTokenEndpointRequest(
      server,
      client,
      noAuthentication,
      jwtBearer,
      { assertion },
      options(request),
    );
    return await oauth.processGenericTokenEndpointResponse(server, client, response);
  });
}

/** The assertion alone identifies the service account. */
function noAuthentication(): void {}

async function signAssertion(account: Account, server: oauth.AuthorizationServer): Promise<string> {
  const { issuer, key } = await readKey(account);
  const sign = oauth.PrivateKeyJwt(key, {
    [oauth.modifyAssertion]: (header, payload) => {
      header["typ"] = "JWT";
      payload["iss"] = issuer;
      payload["sub"] = account.email;
      payload["scope"] = account.scope ?? account.provider.scope;
      payload["aud"] = server.token_endpoint;
      payload["exp"] = Number(payload["iat"]) + assertionLifetimeSeconds;
    },
  });
  // The library signs assertions as client authentication; here the same signed claims are the grant itself.
  const body = new URLSearchParams();
  await sign(server, { client_id: account.clientId }, body, new Headers());
  const assertion = body.get("client_assertion");
  if (assertion === null) throw new TypeError("Cannot sign the assertion: the library made none");
  return assertion;
}

interface ServiceAccountKey {
  /** E-mail address of the service account. */
  readonly issuer: string;
  readonly key: CryptoKey;
}

/** Reads Google's JSON key file, or a PEM key beside which `client_id` names the service account. */
async function readKey({ email, clientId, privateKeyFile: path }: Account): Promise<ServiceAccountKey> {
  if (path === undefined) {
    throw new TypeError(`Cannot sign in as service account for "${email}": private_key_file is missing`);
  }
  const holds = "key file of a service account (JSON), or an RSA private key (PEM)";
  return await readKeyFile({ field: "private_key_file", path, holds }, async (text) => {
    const isJson = text.trimStart().startsWith("{");
    const { client_email: issuer, private_key: pem } = isJson
      ? JSON.parse(text) as Record<string, unknown>
      : { client_email: clientId, private_key: text };
    if (typeof issuer !== "string" || typeof pem !== "string") throw new TypeError("fields are missing");
    return { issuer, key: await importRsaKey(pem, "RSASSA-PKCS1-v1_5") };
  });
}
