import type { Account } from "../accounts/account.ts";
import type { ProbedTokens } from "../oauth/token_service.ts";
import type { AdminContext } from "./admin_context.ts";

type ProbeContext = Pick<AdminContext, "accounts" | "tokens"> & {
  readonly signal: AbortSignal;
};

/**
 * Asks for tokens of an account that is there, apart from its manager, and puts a rotated refresh token on disk and to use.
 *
 * @throws As `TokenService.probe`.
 */
export function probeAccount(
  account: Account,
  { accounts, tokens, signal }: ProbeContext,
): Promise<ProbedTokens> {
  // It has the newest token, on disk or not, whatever e-mail the account has by then; and is told of the next one.
  const manager = tokens.for(account);
  return tokens.probe(() => manager.account, {
    keep: ({ email, refreshToken: replaces }, rotated) =>
      accounts.rotateRefreshToken(email, rotated, { replaces }),
    signal,
  });
}
