/** New and changed records, with their secrets in the form that they should have on disk. */

import type { AccountRecord } from "./account_schema.ts";
import type { RawRecord } from "./accounts_file.ts";
import { hasClearSecrets, sealSecrets, unsealSecrets } from "./record_secrets.ts";
import type { SecretBox } from "./secret_box.ts";

/** Fields to change; `null` removes one. */
export type AccountPatch = { readonly [Key in keyof AccountRecord]?: AccountRecord[Key] | null };

/** The record of a new account; its secrets are encrypted when there is a key. */
export function addedRecord(record: AccountRecord, box: SecretBox | undefined): RawRecord {
  const added = present({ ...record });
  if (box !== undefined) sealSecrets(added, box);
  return added;
}

/**
 * A record with some fields changed; its secrets stay encrypted, or in clear. The first ones are encrypted when there is a key.
 *
 * @throws {Error} If they are encrypted and can't be decrypted.
 */
export function changedRecord(
  old: RawRecord,
  { patch, box }: { readonly patch: AccountPatch; readonly box: SecretBox | undefined },
): RawRecord {
  if (box === undefined) return present({ ...old, ...patch });
  const clear = { ...old };
  // Encrypted values are bound to the e-mail, which may be what changes.
  unsealSecrets(clear, box);
  const changed = present({ ...clear, ...patch });
  if (!hasClearSecrets(old)) sealSecrets(changed, box);
  return changed;
}

function present(record: RawRecord): RawRecord {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined && value !== null),
  );
}
