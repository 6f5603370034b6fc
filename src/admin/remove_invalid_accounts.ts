import type { Account } from "../accounts/account.ts";
import { AccountStoreError } from "../accounts/account_store_error.ts";
import { sameGrant } from "../oauth/same_grant.ts";
import type { VerificationFailure } from "../verification/verification.ts";
import { verifyGrant } from "../verification/verify_account.ts";
import type { AdminContext } from "./admin_context.ts";
import { inParallelToTheEnd } from "./in_parallel_to_the_end.ts";
import { probeAccount } from "./probe_account.ts";

/** What became of the accounts. */
export interface InvalidAccountsOutcome {
  readonly checked: number;
  /** E-mails. */
  readonly removed: string[];
  /** No token could be had for another reason than an invalid grant. */
  readonly kept: { readonly email: string; readonly error: string; readonly remedy: string }[];
}

type RemovalContext = Pick<AdminContext, "accounts" | "tokens" | "now" | "accountsChanged" | "log">;

/**
 * Removes the accounts for which the token endpoint answers `invalid_grant` (RFC 6749 §5.2) for good. Faults of the app, of
 * the network or of the provider say nothing about the grant: those accounts stay, and so does one that has a token to
 * send with. Not to be called twice at a time.
 *
 * @throws The signal's reason when it aborts.
 */
export async function removeInvalidAccounts(
  context: RemovalContext,
  signal: AbortSignal,
): Promise<InvalidAccountsOutcome> {
  const { accounts } = context;
  const all = accounts.list();
  const outcome: InvalidAccountsOutcome = { checked: all.length, removed: [], kept: [] };
  try {
    await inParallelToTheEnd(all, async ({ email }) => {
      const refusal = await refusalOf(email, { ...context, signal });
      if (!refusal) return;
      const { failure, account } = refusal;
      if (isInvalid(failure) && !canStillSend(account, context)) {
        const needed = reasonToKeep(email, accounts);
        if (needed !== undefined) {
          outcome.kept.push({ email, error: needed, remedy: failure.remedy });
          return;
        }
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

interface Refusal {
  /** As it is when this is told. */
  readonly account: Account;
  readonly failure: VerificationFailure;
}

type Asking = RemovalContext & { readonly signal: AbortSignal };

/** Asks for a token, and again where the grant that was refused isn't the account's any more. */
async function refusalOf(email: string, asking: Asking): Promise<Refusal | undefined> {
  const { accounts, signal, now } = asking;
  for (;;) {
    const account = accounts.get(email);
    if (!account) return undefined;
    const { failure } = await verifyGrant(account, {
      probe: (probeSignal) => probeAccount(account, { ...asking, signal: probeSignal }),
      signal,
      now,
    });
    if (!failure) return undefined;
    const current = accounts.get(email);
    if (current && sameGrant(account, current)) return { account: current, failure };
  }
}

function reasonToKeep(email: string, accounts: RemovalContext["accounts"]): string | undefined {
  try {
    accounts.requireUnneeded(email);
    return undefined;
  } catch (error) {
    if (error instanceof AccountStoreError) return error.message;
    throw error;
  }
}

/** A throttled or failing endpoint may say `invalid_grant` too, and doesn't mean it. */
function isInvalid({ tokenError, kind }: VerificationFailure): boolean {
  return tokenError === "invalid_grant" && kind === "refused";
}

/** Whether the account has an access token, or a newer refresh token that is not on disk yet. */
function canStillSend({ email, refreshToken }: Account, { tokens }: Pick<AdminContext, "tokens">): boolean {
  const manager = tokens.find(email);
  return manager !== undefined &&
    (manager.state.state === "valid" || manager.account.refreshToken !== refreshToken);
}
