/** SASL LOGIN, server side. It has no RFC; clients wait for these two challenges in this order. */

import type { Credentials } from "./credentials.ts";

/** `Username:` in base64. */
export const USERNAME_CHALLENGE = "VXNlcm5hbWU6";

/** `Password:` in base64. */
export const PASSWORD_CHALLENGE = "UGFzc3dvcmQ6";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Puts the two responses together.
 *
 * @returns `undefined` when either is empty, not UTF-8, or holds a NUL.
 */
export function parseLogin(username: Uint8Array, password: Uint8Array): Credentials | undefined {
  try {
    const credentials = {
      authorizationIdentity: "",
      authenticationIdentity: decoder.decode(username),
      password: decoder.decode(password),
    };
    const fields = [credentials.authenticationIdentity, credentials.password];
    return fields.some((field) => field === "" || field.includes("\0")) ? undefined : credentials;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}
