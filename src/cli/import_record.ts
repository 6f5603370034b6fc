import { AccountStoreError } from "../accounts/account_store_error.ts";
import type { NewAccount } from "../admin/account_body.ts";
import { RequestProblem } from "../admin/request_problem.ts";
import { ConfigError, formatFinding } from "../config/config_error.ts";
import { type Admission, problemText } from "./add_account.ts";

/** How one record is taken in. */
export interface ImportRecordOptions {
  readonly admission: Admission;
  readonly verify: boolean;
  readonly overwrite: boolean;
}

/** What became of it. */
export interface ImportedRecord {
  readonly email: string;
  readonly outcome: "added" | "replaced" | "exists" | "failed";
  readonly error?: string;
}

/** Adds one record of a file. A fault of the record is in the result; what concerns all of them is thrown. */
export async function importRecord(
  record: Readonly<Record<string, unknown>>,
  { admission, verify, overwrite }: ImportRecordOptions,
): Promise<ImportedRecord> {
  const email = String(record["email"] ?? "(no e-mail)");
  try {
    // The admission checks every field.
    const { isReplacement } = await admission.admit({ ...record, email, verify, overwrite } as NewAccount);
    return { email, outcome: isReplacement ? "replaced" : "added" };
  } catch (error) {
    if (error instanceof AccountStoreError && error.code === "ACCOUNT_EXISTS") {
      return { email, outcome: "exists" };
    }
    if (error instanceof RequestProblem) return { email, outcome: "failed", error: problemText(error) };
    if (error instanceof ConfigError) {
      return { email, outcome: "failed", error: error.findings.map(formatFinding).join("; ") };
    }
    throw error;
  }
}
