/** Fernet tokens, in which email-oauth2-proxy keeps its secrets. @see https://github.com/fernet/spec */

import { Buffer } from "node:buffer";
import { createDecipheriv, createHmac, pbkdf2, timingSafeEqual } from "node:crypto";

const macOctets = 32;
const nonceOffset = 9; // version and time stamp
const ciphertextOffset = nonceOffset + 16;

/** How a key is derived from a password (PBKDF2 with SHA-256, RFC 8018 §5.2). */
export interface FernetKeyOptions {
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** Derives a key: 16 octets to sign with, 16 to encrypt with. */
export function deriveFernetKey(password: string, { salt, iterations }: FernetKeyOptions): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  pbkdf2(password, salt, iterations, 32, "sha256", (error, key) => {
    if (error) reject(error);
    else resolve(key);
  });
  return promise;
}

/**
 * Decrypts a token.
 *
 * @returns Nothing if the key is another one, or the token is damaged.
 */
export function openFernetToken(token: string, key: Uint8Array): string | undefined {
  const octets = Buffer.from(token, "base64url");
  if (octets.length < ciphertextOffset + 16 + macOctets || octets[0] !== 0x80) return undefined;
  const signed = octets.subarray(0, -macOctets);
  const mac = createHmac("sha256", key.subarray(0, 16)).update(signed).digest();
  if (!timingSafeEqual(mac, octets.subarray(-macOctets))) return undefined;
  const nonce = octets.subarray(nonceOffset, ciphertextOffset);
  const decipher = createDecipheriv("aes-128-cbc", key.subarray(16, 32), nonce);
  return Buffer.concat([decipher.update(signed.subarray(ciphertextOffset)), decipher.final()]).toString(
    "utf8",
  );
}
