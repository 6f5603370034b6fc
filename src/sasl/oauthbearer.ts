/** SASL OAUTHBEARER (RFC 7628), client side. */

import { assertNoControls } from "./xoauth2.ts";

/**
 * Encodes the initial response, before base64 (RFC 7628 §3.1): a GS2 header with the user as authorization identity, then
 * `auth=Bearer ` token, each part ended by 0x01.
 *
 * @throws {RangeError} If either value holds a control character.
 */
export function encodeOauthbearer(user: string, accessToken: string): Uint8Array {
  assertNoControls(user, "user");
  assertNoControls(accessToken, "access token");
  // RFC 5801 §4: "=" and "," are escaped in the authorization identity.
  const escaped = user.replaceAll("=", "=3D").replaceAll(",", "=2C");
  return new TextEncoder().encode(`n,a=${escaped},\x01auth=Bearer ${accessToken}\x01\x01`);
}

/** What a client answers to the error challenge to get the final reply: a single 0x01 (RFC 7628 §3.2.3), in base64. */
export const OAUTHBEARER_ERROR_RESPONSE = "AQ==";
