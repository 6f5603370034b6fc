import type { Account } from "../accounts/account.ts";
import type { VerificationFailure } from "../verification/verification.ts";
import { verifyGrant } from "../verification/verify_account.ts";
import type { AdminContext } from "./admin_context.ts";
import { inParallelToTheEnd } from "./in_parallel_to_the_end.ts";

/** What became of the accounts. */
export interface InvalidAccountsOutcome {
  readonly checked: number;
  /** E-mails. */
  readonly removed: string[];
  /** No token could be had for another reason than an invalid grant. */
  readonly kept: { readonly email: string; readonly error: string; readonly remedy: string }[];
}

/**
 * Removes the accounts for which the token endpoint answers `invalid_grant` (RFC 6749 §5.2). Faults of the app, of the
 * network or of the provider say nothing about the grant: those accounts stay.
 *
 * @throws The signal's reason when it aborts.
 */
export async function removeInvalidAccounts(
  context: Pick<AdminContext, "accounts" | "tokens" | "now" | "accountsChanged" | "log">,
  signal: AbortSignal,
): Promise<InvalidAccountsOutcome> {
  const { accounts } = context;
  const all = accounts.list();
  const outcome: InvalidAccountsOutcome = { checked: all.length, removed: [], kept: [] };
  try {
    await inParallelToTheEnd(all, async (account) => {
      const failure = await failureOfGrant(account, { ...context, signal });
      if (!failure) return;
      const { email } = account;
      // Rotated by a refresh meanwhile: then the token that was refused isn't the account's any more.
      const isCurrent = accounts.get(email)?.refreshToken === account.refreshToken;
      if (failure.tokenError === "invalid_grant" && isCurrent) {
        await accounts.remove(email);
        context.log.info("Account {account} removed: its grant is invalid", { account: email });
        outcome.removed.push(email);
      } else {
        outcome.kept.push({ email, error: failure.cause, remedy: failure.remedy });
      }
    });
  } finally {
    context.accountsChanged();
  }
  return outcome;
}

async function failureOfGrant(
  account: Account,
  { accounts, tokens, now, signal }: Pick<AdminContext, "accounts" | "tokens" | "now"> & {
    readonly signal: AbortSignal;
  },
): Promise<VerificationFailure | undefined> {
  const { failure } = await verifyGrant(account, {
    probe: (probed, probeSignal) => tokens.probe(probed, probeSignal),
    async keepRefreshToken({ email, refreshToken: replaces }, rotated) {
      await accounts.rotateRefreshToken(email, rotated, { replaces });
      // At once: a token that was rotated away may cost the account its grant if it is sent again.
      const current = accounts.get(email);
      if (current) tokens.find(email)?.replaceAccount(current);
    },
    signal,
    now,
  });
  return failure;
}
