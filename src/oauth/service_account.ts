import * as oauth from "oauth4webapi";
import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { serverAccess } from "./authorization_server.ts";
import { importRsaKey } from "./client_authentication.ts";
import { requestTokens, type TokenRequestOptions } from "./token_request.ts";

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/** Google takes assertions of up to an hour. */
const assertionLifetimeSeconds = 3600;

/**
 * Obtains an access token for a Google Workspace mailbox through a service account with domain-wide delegation: a
 * signed assertion as the grant (RFC 7523 §2.1).
 *
 * @throws {TokenError}
 * @throws {TypeError} If the account has no usable key file.
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
  const { issuer, privateKey } = await readKeyFile(account);
  const key = await importRsaKey(privateKey, "RSASSA-PKCS1-v1_5");
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
  /** PEM. */
  readonly privateKey: string;
}

/** Reads Google's JSON key file, or a PEM key beside which `client_id` names the service account. */
async function readKeyFile(account: Account): Promise<ServiceAccountKey> {
  const { privateKeyFile } = account;
  if (privateKeyFile === undefined) {
    throw new TypeError(
      `Cannot sign in as service account for "${account.email}": private_key_file is missing`,
    );
  }
  const text = await Deno.readTextFile(privateKeyFile);
  if (!text.trimStart().startsWith("{")) return { issuer: account.clientId, privateKey: text };
  const { client_email: issuer, private_key: privateKey } = JSON.parse(text) as Record<string, unknown>;
  if (typeof issuer !== "string" || typeof privateKey !== "string") {
    throw new TypeError(`Cannot use "${privateKeyFile}": client_email and private_key are missing`);
  }
  return { issuer, privateKey };
}
