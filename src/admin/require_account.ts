import type { Account } from "../accounts/account.ts";
import type { AccountStore } from "../accounts/account_store.ts";
import { AccountStoreError } from "../accounts/account_store_error.ts";

/** The account of a mailbox. @throws {AccountStoreError} If there is none. */
export function requireAccount(accounts: Pick<AccountStore, "get">, email: string): Account {
  const account = accounts.get(email);
  if (account) return account;
  throw new AccountStoreError("ACCOUNT_NOT_FOUND", `Cannot find "${email}": there is no such account`);
}
