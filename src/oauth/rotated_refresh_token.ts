import type { GrantedTokens } from "./access_token.ts";
import { TokenError } from "./token_error.ts";

/** The refresh token that came with an answer, if any; failed requests may have brought one too. */
export function refreshTokenOf(outcome: PromiseSettledResult<GrantedTokens>): string | undefined {
  if (outcome.status === "fulfilled") return outcome.value.refreshToken;
  return outcome.reason instanceof TokenError ? outcome.reason.refreshToken : undefined;
}
