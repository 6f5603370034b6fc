/** Why the store refuses an edit; faults of the record itself are a `ConfigError`. */
export type AccountStoreErrorCode =
  | "ACCOUNT_EXISTS"
  | "ACCOUNT_NOT_FOUND"
  | "ACCOUNT_NEEDED"
  | "ACCOUNTS_NOT_WRITABLE";

/** An edit of the accounts that can't be done. */
export class AccountStoreError extends Error {
  override readonly name = "AccountStoreError";

  constructor(readonly code: AccountStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
