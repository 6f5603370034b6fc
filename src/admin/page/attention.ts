/** Which accounts somebody has to look at, why, and what to do. */

import type { Account } from "../../accounts/account.ts";
import type { AccountStatus } from "../admin_context.ts";
import { formatSpan } from "./format_measures.ts";

/** How an account stands, the gravest first. */
export const accountConditions = [
  "blocked",
  "unconnected",
  "failing",
  "slowed",
  "limit",
  "untried",
  "fine",
] as const;

/** See `accountConditions`. */
export type AccountCondition = (typeof accountConditions)[number];

/** What is wrong with an account. */
export interface Attention {
  readonly email: string;
  readonly condition: Exclude<AccountCondition, "untried" | "fine">;
  readonly cause: string;
  readonly remedy: string;
}

/** The accounts that can't send, or not as fast as they could, the gravest first. */
export function accountsInNeed(
  statuses: readonly AccountStatus[],
  accountOf: (email: string) => Account | undefined,
): Attention[] {
  return statuses.flatMap((status) => attentionOf(status, accountOf(status.email)) ?? [])
    .sort((a, b) => accountConditions.indexOf(a.condition) - accountConditions.indexOf(b.condition));
}

/** How an account stands, in one word. */
export function conditionOf(status: AccountStatus, account: Account | undefined): AccountCondition {
  const attention = attentionOf(status, account);
  return attention?.condition ?? (status.token.state === "unknown" ? "untried" : "fine");
}

/** Whether somebody has to look at an account in this condition. */
export function isInNeed(condition: AccountCondition): boolean {
  return condition !== "fine" && condition !== "untried";
}

/** What is wrong with one account, if something is. */
export function attentionOf(status: AccountStatus, account: Account | undefined): Attention | undefined {
  const { email, token: { state, lastError = "", remedy = "" }, pool, rates } = status;
  if (account?.grant === "refresh_token" && account.refreshToken === undefined) {
    return {
      email,
      condition: "unconnected",
      cause: "Nobody has allowed the proxy to send as this mailbox yet",
      remedy: "Connect the account",
    };
  }
  if (state === "needs_authorization") return { email, condition: "blocked", cause: lastError, remedy };
  if (state === "failing") return { email, condition: "failing", cause: lastError, remedy };
  if (pool?.backoff) {
    const { reason, remedy, remainingMs } = pool.backoff;
    const cause = `${reason} (waits another ${formatSpan(Math.ceil(remainingMs / 1000))})`;
    return { email, condition: "slowed", cause, remedy };
  }
  if (rates.recipientsToday !== undefined && rates.recipientsToday <= 0) {
    return {
      email,
      condition: "limit",
      cause: "The mailbox has used up its recipients of 24 hours",
      remedy: "Mail waits at its senders; spread the load over more mailboxes",
    };
  }
  return undefined;
}
