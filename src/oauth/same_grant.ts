import type { Account } from "../accounts/account.ts";

/** Tells whether two states of an account obtain the same tokens, so that one's token is good for the other. */
export function sameGrant(one: Account, other: Account): boolean {
  return one.grant === other.grant &&
    one.email === other.email &&
    one.clientId === other.clientId &&
    one.clientSecret === other.clientSecret &&
    one.refreshToken === other.refreshToken &&
    one.privateKeyFile === other.privateKeyFile &&
    one.certificateFile === other.certificateFile &&
    one.tenant === other.tenant &&
    one.scope === other.scope &&
    one.provider.tokenUrl === other.provider.tokenUrl &&
    one.provider.scope === other.provider.scope &&
    one.provider.clientCredentialsScope === other.provider.clientCredentialsScope;
}
