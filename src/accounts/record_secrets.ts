import type { RawRecord } from "./accounts_file.ts";
import { secretKeys } from "./account_schema.ts";
import { isSealed, type SecretBox } from "./secret_box.ts";

/** A key of a record whose value is a secret. */
export type SecretKey = (typeof secretKeys)[number];

/** Binds an encrypted value to its account and key. */
export function secretContext(email: string, key: SecretKey): string {
  return `${email.toLowerCase()} ${key}`;
}

/**
 * Reads a secret of a record, encrypted or not.
 *
 * @throws {Error} If it is encrypted and can't be decrypted, or there is no key.
 */
export function openSecret(
  value: string,
  { box, email, key }: {
    readonly box: SecretBox | undefined;
    readonly email: string;
    readonly key: SecretKey;
  },
): string {
  if (!isSealed(value)) return value;
  if (box === undefined) throw new Error("Cannot decrypt the secret: there is no accounts key");
  return box.open(value, secretContext(email, key));
}

/** Tells whether a record has secrets, and all of them in clear. */
export function hasClearSecrets(record: RawRecord): boolean {
  const values = secretKeys.map((key) => record[key]).filter((value) =>
    typeof value === "string" && value !== ""
  );
  return values.length > 0 && !values.some((value) => isSealed(String(value)));
}

/** Encrypts the secrets of a record that are in clear, in place. Tells whether there were any. */
export function sealSecrets(record: RawRecord, box: SecretBox): boolean {
  const email = String(record["email"]);
  let changed = false;
  for (const key of secretKeys) {
    const value = record[key];
    if (typeof value !== "string" || value === "" || isSealed(value)) continue;
    record[key] = box.seal(value, secretContext(email, key));
    changed = true;
  }
  return changed;
}

/**
 * Decrypts the secrets of a record, in place. Tells whether there were any.
 *
 * @throws {Error} If one can't be decrypted.
 */
export function unsealSecrets(record: RawRecord, box: SecretBox): boolean {
  const email = String(record["email"]);
  let changed = false;
  for (const key of secretKeys) {
    const value = record[key];
    if (typeof value !== "string" || !isSealed(value)) continue;
    record[key] = box.open(value, secretContext(email, key));
    changed = true;
  }
  return changed;
}
