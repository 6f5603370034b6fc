import type { Account } from "./account.ts";

/** Accounts by e-mail and by the name that clients sign in with, without regard to case. */
export class AccountDirectory {
  readonly #byEmail = new Map<string, Account>();
  readonly #byUsername = new Map<string, Account>();

  constructor(accounts: Iterable<Account> = []) {
    for (const account of accounts) this.set(account);
  }

  /** By lower-case e-mail, in the order of the file. */
  get byEmail(): ReadonlyMap<string, Account> {
    return this.#byEmail;
  }

  /** The account of a mailbox. */
  get(email: string): Account | undefined {
    return this.#byEmail.get(email.toLowerCase());
  }

  /** The account that a client signs in to. */
  byUsername(name: string): Account | undefined {
    return this.#byUsername.get(name.toLowerCase());
  }

  /** Adds an account, or takes its new state. */
  set(account: Account): void {
    const old = this.get(account.email);
    if (old !== undefined) this.#byUsername.delete(old.username.toLowerCase());
    this.#byEmail.set(account.email.toLowerCase(), account);
    this.#byUsername.set(account.username.toLowerCase(), account);
  }

  /** Takes over what another directory has of a mailbox, its absence too. */
  copy(email: string, from: AccountDirectory): void {
    const account = from.get(email);
    if (account === undefined) this.delete(email);
    else this.set(account);
  }

  /** Forgets an account. */
  delete(email: string): void {
    const account = this.get(email);
    if (account === undefined) return;
    this.#byEmail.delete(email.toLowerCase());
    this.#byUsername.delete(account.username.toLowerCase());
  }
}
