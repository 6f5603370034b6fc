import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "./access_token.ts";
import { TokenError } from "./token_error.ts";

/** What asking needs. */
export interface Asking {
  /** The account as it is now. */
  readonly present: () => Account;
  readonly obtain: (account: Account) => Promise<GrantedTokens>;
  /** Looks for a refresh token that another process has put in place of the account's; true if `present` has it now. */
  readonly renew: (account: Account) => Promise<boolean>;
}

/** How a request ended, and what it was made with. */
export interface Asked {
  readonly account: Account;
  readonly outcome: PromiseSettledResult<GrantedTokens>;
}

/**
 * Asks for tokens. A refresh token that another process has traded for the next one reads `invalid_grant` here: then it
 * asks once more, with that.
 */
export async function askWithNewest({ present, obtain, renew }: Asking): Promise<Asked> {
  const asked = await ask(present(), obtain);
  if (!isInvalidGrant(asked) || !await renew(asked.account)) return asked;
  return await ask(present(), obtain);
}

async function ask(account: Account, obtain: Asking["obtain"]): Promise<Asked> {
  const [outcome] = await Promise.allSettled([obtain(account)]);
  return { account, outcome };
}

function isInvalidGrant({ account, outcome }: Asked): boolean {
  return account.grant === "refresh_token" && outcome.status === "rejected" &&
    outcome.reason instanceof TokenError && outcome.reason.code === "NEEDS_AUTHORIZATION" &&
    outcome.reason.error === "invalid_grant";
}
