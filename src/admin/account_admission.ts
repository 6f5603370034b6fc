/** How an account comes in over the API: checked, verified with its provider, then on disk. */

import { AccountStoreError } from "../accounts/account_store_error.ts";
import type { Account } from "../accounts/account.ts";
import type { AccountRecord } from "../accounts/account_schema.ts";
import { hashPassword } from "../accounts/password_hash.ts";
import { verifyGrant } from "../verification/verify_account.ts";
import type { VerificationFailure } from "../verification/verification.ts";
import type { NewAccount } from "./account_body.ts";
import { newAccountFaults, onePerField } from "./account_faults.ts";
import type { AdminContext } from "./admin_context.ts";
import { detailsOf, type ProblemDetail, RequestProblem } from "./request_problem.ts";

/** What admission needs of the daemon. */
export type AdmissionContext = Pick<AdminContext, "accounts" | "tokens" | "providers" | "now" | "log">;

/** An account that is now on disk. */
export interface AdmittedAccount {
  readonly account: Account;
  /** It took the place of another. */
  readonly isReplacement: boolean;
}

/** Takes accounts in. Whoever calls makes them live afterwards. */
export class AccountAdmission {
  readonly #context: AdmissionContext;
  readonly #closing: AbortSignal;
  /** E-mails and user names of the accounts that are being taken in. */
  readonly #reserved = new Set<string>();

  /** @param closing Ends verifications under way. */
  constructor(context: AdmissionContext, closing: AbortSignal) {
    this.#context = context;
    this.#closing = closing;
  }

  /**
   * Checks, verifies and saves one account. Its names are its own from the check on: one that was refused after its
   * verification would have lost a refresh token that the provider rotates.
   *
   * @throws {RequestProblem} 400 with every fault, 409 if it exists or is being taken in already, 422 if the provider
   * refuses the grant, 502 if it can't be asked.
   * @throws {AccountStoreError} If it can't be saved.
   */
  async admit(body: NewAccount): Promise<AdmittedAccount> {
    const { verify = true, overwrite = false } = body;
    const existing = this.#context.accounts.get(body.email);
    const { account: checked, record: clear } = this.#check(body);
    if (existing && !overwrite) {
      throw new AccountStoreError("ACCOUNT_EXISTS", `Cannot add "${body.email}": there is such an account`);
    }
    using _names = this.#reserve(checked);
    const record = await withPasswordHash(clear, body.password);
    // Before the grant is asked with: a token that the provider rotates would be spent for nothing.
    if (verify) await this.#context.accounts.requireWritable();
    const proven = verify ? await this.#verify(record) : record;
    const account = await this.#context.accounts.add(proven, { overwrite });
    const isReplacement = existing !== undefined;
    const what = isReplacement ? "replaced" : "added";
    this.#context.log.info("Account {account} {what} over the API", { account: account.email, what });
    return { account, isReplacement };
  }

  #check({ verify, overwrite: _overwrite, password, ...fields }: NewAccount): Checked {
    const faults = newAccountFaults({ ...fields, verify: verify ?? true }, this.#context.providers());
    const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const parsed = this.#context.accounts.parse(present);
    // The store would find it too, but only after the verification, which may use the grant up.
    const taken = parsed.account ? this.#takenNames(parsed.account) : [];
    const all = onePerField([...passwordFaults(password), ...faults, ...detailsOf(parsed.faults), ...taken]);
    if (all.length > 0 || !parsed.account) throw new RequestProblem(400, "The account has faults", all);
    return { account: parsed.account, record: present as AccountRecord };
  }

  /** Until the result is disposed. @throws {RequestProblem} If another account with one of the names is being taken in. */
  #reserve({ email, username }: Account): Disposable {
    const names = [`email ${email.toLowerCase()}`, `username ${username.toLowerCase()}`];
    if (names.some((name) => this.#reserved.has(name))) {
      throw new RequestProblem(
        409,
        `Cannot add "${email}": an account with its e-mail or user name is being added`,
      );
    }
    for (const name of names) this.#reserved.add(name);
    return { [Symbol.dispose]: () => names.forEach((name) => this.#reserved.delete(name)) };
  }

  #takenNames({ email, username }: Account): ProblemDetail[] {
    const holder = this.#context.accounts.byUsername(username);
    if (holder === undefined || holder.email.toLowerCase() === email.toLowerCase()) return [];
    return [{ path: "username", message: "belongs to another account", hint: "each account needs its own" }];
  }

  async #verify(record: AccountRecord): Promise<AccountRecord> {
    const { account } = this.#context.accounts.parse(record);
    if (!account) throw new TypeError("Cannot verify the account: it was not checked");
    let refreshToken: string | undefined;
    const verification = await verifyGrant(account, {
      probe: (signal) =>
        this.#context.tokens.probe(() => account, {
          keep: async ({ email, refreshToken: replaces }, rotated) => {
            refreshToken = rotated;
            // An account that is there with this token can't send with it any more, whatever becomes of the new record.
            const { accounts } = this.#context;
            if (accounts.get(email)?.refreshToken === replaces) {
              await accounts.rotateRefreshToken(email, rotated, { replaces });
            }
          },
          signal,
        }),
      signal: this.#closing,
      now: this.#context.now,
    });
    if (verification.failure) throw verificationProblem(verification.failure);
    return refreshToken === undefined ? record : { ...record, refresh_token: refreshToken };
  }
}

interface Checked {
  readonly account: Account;
  /** Without the password. */
  readonly record: AccountRecord;
}

async function withPasswordHash(record: AccountRecord, password: string | undefined): Promise<AccountRecord> {
  return password === undefined ? record : { ...record, password_hash: await hashPassword(password) };
}

/** What comes from a file may be anything. */
function passwordFaults(password: unknown): ProblemDetail[] {
  if (password === undefined || (typeof password === "string" && password !== "")) return [];
  return [{ path: "password", message: "must be text", hint: "what SMTP clients sign in with, in quotes" }];
}

/** The problem for an account whose grant did not prove good. */
export function verificationProblem({ kind, cause, remedy, step }: VerificationFailure): RequestProblem {
  const status = kind === "refused" ? 422 : 502;
  return new RequestProblem(status, `${cause}. ${remedy}`, [{ path: step, message: cause, hint: remedy }]);
}
