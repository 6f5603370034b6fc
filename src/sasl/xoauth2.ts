/** SASL XOAUTH2, client side: Google, "The SASL XOAUTH2 Mechanism"; Microsoft, "Authenticate an IMAP, POP or SMTP connection using OAuth". */

/**
 * Encodes the initial response, before base64: `user=` user 0x01 `auth=Bearer ` token 0x01 0x01.
 *
 * @param user The mailbox to act for.
 * @param accessToken Bearer token (RFC 6750 §2.1), without the scheme.
 * @returns UTF-8 octets. A token line of more than 12,288 octets in base64 (RFC 4954 §4) is the sender's to refuse.
 * @throws {RangeError} If either value holds a control character.
 */
export function encodeXoauth2(user: string, accessToken: string): Uint8Array {
  assertNoControls(user, "user");
  assertNoControls(accessToken, "access token");
  return new TextEncoder().encode(`user=${user}\x01auth=Bearer ${accessToken}\x01\x01`);
}

/** What a client answers to the error challenge to get the final reply: an empty line. */
export const XOAUTH2_ERROR_RESPONSE = "";

/** @throws {RangeError} If `value` holds a control character; the value is not part of the message. */
export function assertNoControls(value: string, what: string): void {
  // deno-lint-ignore no-control-regex -- control characters are what it is about
  if (/[\x00-\x1f\x7f]/.test(value)) {
    throw new RangeError(`Cannot encode the ${what}: it holds a control character`);
  }
}
