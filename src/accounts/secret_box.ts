/** Secrets at rest: AES-256-GCM (NIST SP 800-38D), written as `enc:v1:` and base64url of nonce, ciphertext and tag. */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { join } from "node:path";

const prefix = "enc:v1:";
const keyOctets = 32;
const nonceOctets = 12;
const tagOctets = 16;
const algorithm = "aes-256-gcm";

/** Tells whether a value of accounts.json is encrypted. */
export function isSealed(value: string): boolean {
  return value.startsWith(prefix);
}

/** Encrypts and decrypts single values with one key. */
export class SecretBox {
  readonly #key: Uint8Array;

  /**
   * @param key 32 octets.
   * @throws {RangeError} If it has another length.
   */
  constructor(key: Uint8Array) {
    if (key.length !== keyOctets) {
      throw new RangeError(
        `Cannot use the accounts key: it has ${key.length} octets instead of ${keyOctets}`,
      );
    }
    this.#key = key;
  }

  /**
   * Encrypts a secret.
   *
   * @param context Where the value stands; it can be decrypted only with the same, so that values can't be swapped.
   */
  seal(secret: string, context: string): string {
    const nonce = randomBytes(nonceOctets);
    const cipher = createCipheriv(algorithm, this.#key, nonce);
    cipher.setAAD(Buffer.from(context));
    const ciphertext = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
    return prefix + Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString("base64url");
  }

  /**
   * Decrypts what `seal` made.
   *
   * @throws {Error} If the value is damaged, or was made with another key or for another context.
   */
  open(sealed: string, context: string): string {
    const octets = Buffer.from(sealed.slice(prefix.length), "base64url");
    if (!isSealed(sealed) || octets.length < nonceOctets + tagOctets) throw unreadable();
    const decipher = createDecipheriv(algorithm, this.#key, octets.subarray(0, nonceOctets));
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(octets.subarray(-tagOctets));
    const ciphertext = octets.subarray(nonceOctets, -tagOctets);
    try {
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
    } catch (error) {
      throw unreadable({ cause: error });
    }
  }
}

function unreadable(options?: ErrorOptions): Error {
  return new Error("Cannot decrypt the secret: it is damaged, or was encrypted with another key", options);
}

/** A new random key as text, for a credential, a file or the environment. */
export function generateSecretKey(): string {
  return randomBytes(keyOctets).toString("base64");
}

/** Where a key may come from. */
export interface SecretKeySources {
  /** `XOAUTH2_ACCOUNTS_KEY`, `XOAUTH2_ACCOUNTS_KEY_FILE` and systemd's `CREDENTIALS_DIRECTORY` are looked up. */
  readonly env: (name: string) => string | undefined;
  /** Default: the file system. */
  readonly readFile?: (path: string) => Promise<string>;
}

/**
 * Loads the key from the systemd credential `accounts_key`, else from the file that `XOAUTH2_ACCOUNTS_KEY_FILE` names,
 * else from `XOAUTH2_ACCOUNTS_KEY`.
 *
 * @returns Nothing if there is no key.
 * @throws {Error} If a named file can't be read, or the key is not 32 octets in base64 or hexadecimal.
 */
export async function loadSecretBox(
  { env, readFile = Deno.readTextFile }: SecretKeySources,
): Promise<SecretBox | undefined> {
  const credentials = env("CREDENTIALS_DIRECTORY");
  if (credentials !== undefined) {
    try {
      return boxFromText(await readFile(join(credentials, "accounts_key")));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const keyFile = env("XOAUTH2_ACCOUNTS_KEY_FILE");
  if (keyFile !== undefined) return boxFromText(await readFile(keyFile));
  const key = env("XOAUTH2_ACCOUNTS_KEY");
  return key === undefined ? undefined : boxFromText(key);
}

function boxFromText(text: string): SecretBox {
  const trimmed = text.trim();
  const isHexadecimal = /^[0-9A-Fa-f]{64}$/.test(trimmed);
  return new SecretBox(Buffer.from(trimmed, isHexadecimal ? "hex" : "base64"));
}
