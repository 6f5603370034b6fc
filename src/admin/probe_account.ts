import type { Account } from "../accounts/account.ts";
import type { ProbedTokens } from "../oauth/token_service.ts";
import type { AdminContext } from "./admin_context.ts";

type ProbeContext = Pick<AdminContext, "accounts" | "tokens"> & {
  readonly signal: AbortSignal;
};

/**
 * Asks for tokens of an account that is there, apart from its manager, and puts a rotated refresh token on disk and to use.
 *
 * @param account Stands in for one that is removed meanwhile.
 * @throws As `TokenService.probe`.
 */
export function probeAccount(
  account: Account,
  { accounts, tokens, signal }: ProbeContext,
): Promise<ProbedTokens> {
  // What sends for the account is told of a rotation, even if nobody has sent yet.
  tokens.for(account);
  return tokens.probe(() => accounts.get(account.email) ?? account, {
    keep: ({ email, refreshToken: replaces }, rotated) =>
      accounts.rotateRefreshToken(email, rotated, { replaces }),
    signal,
  });
}
