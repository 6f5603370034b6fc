import { createHmac } from "node:crypto";

/** Anything in a line of log that looks like an e-mail address; angle brackets and quotes are not part of it. */
const addressPattern = /[^\s<>"'(),:;=[\]\\@]+@[^\s<>"'(),:;=[\]\\@]*[\p{L}\p{N}]/gu;

/** Puts short keyed digests in the place of e-mail addresses, the same one for the same address. */
export class AddressDigest {
  readonly #key: Uint8Array;

  /** Whoever doesn't have `key` can't find out whether an address that they guess was logged. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** `addr-` and 12 hexadecimal digits of HMAC-SHA-256 (RFC 2104); case doesn't matter. */
  of(address: string): string {
    const digest = createHmac("sha256", this.#key).update(address.toLowerCase()).digest("hex");
    return `addr-${digest.slice(0, 12)}`;
  }

  /** `text` with each address in it replaced. */
  replaceIn(text: string): string {
    return text.includes("@") ? text.replace(addressPattern, (address) => this.of(address)) : text;
  }
}
