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
    this.#release(account.email);
    this.#byEmail.set(account.email.toLowerCase(), account);
    this.#byUsername.set(account.username.toLowerCase(), account);
  }

  /** Forgets an account. */
  delete(email: string): void {
    this.#release(email);
    this.#byEmail.delete(email.toLowerCase());
  }

  /** Another account may have the user name by now. */
  #release(email: string): void {
    const account = this.get(email);
    if (account === undefined || this.byUsername(account.username) !== account) return;
    this.#byUsername.delete(account.username.toLowerCase());
  }
}
