/** Base64 as SASL profiles use it (RFC 4954 §4, RFC 4648 §4): strict, with padding, on one line. */

/**
 * Decodes one line.
 *
 * @returns `undefined` for an illegal character, an `=` that isn't at the end, or a wrong length.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** Encodes octets. */
export function encodeBase64(octets: Uint8Array): string {
  let binary = "";
  for (const octet of octets) binary += String.fromCharCode(octet);
  return btoa(binary);
}
