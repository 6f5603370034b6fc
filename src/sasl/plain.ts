/** SASL PLAIN (RFC 4616), server side. */

import type { Credentials } from "./credentials.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads `[authzid] NUL authcid NUL passwd`.
 *
 * @returns `undefined` when the message is malformed: not two NULs, not UTF-8, or an empty identity (RFC 4616 §2).
 */
export function parsePlain(message: Uint8Array): Credentials | undefined {
  let fields: string[];
  try {
    fields = decoder.decode(message).split("\0");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
  const [authorizationIdentity, authenticationIdentity, password] = fields;
  if (fields.length !== 3 || authenticationIdentity === "" || password === "") return undefined;
  return {
    authorizationIdentity: authorizationIdentity!,
    authenticationIdentity: authenticationIdentity!,
    password: password!,
  };
}
