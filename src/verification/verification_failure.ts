/** From what went wrong to a cause and a remedy, each one sentence for the operator. */

import type { Account } from "../accounts/account.ts";
import { TokenError } from "../oauth/token_error.ts";
import { diagnose } from "../upstream/diagnosis.ts";
import {
  CircuitOpenError,
  DialError,
  type DialPhase,
  PoolBusyError,
  ThrottledError,
} from "../upstream/upstream_error.ts";
import type { VerificationFailure } from "./verification.ts";

/** What is known beside the error. */
export interface FailureContext {
  readonly account: Pick<Account, "provider" | "grant">;
  /** What the token's scope or audience lacks, if something. */
  readonly scopeRemedy?: string | undefined;
}

const remedies: Readonly<Record<DialPhase, string>> = {
  connect: "Check smtp_endpoint, DNS, and that the firewall lets this host out to the provider's port",
  tls: "Check smtp_security and smtp_endpoint, and ca_file if the certificate is your own",
  greeting: "Check smtp_endpoint and smtp_security: what answers there does not greet as an SMTP server",
  ehlo: "Check smtp_endpoint: the server does not take EHLO",
  starttls: 'Check smtp_security: the server does not do STARTTLS; port 465 wants "tls"',
  auth: "Try again; if it stays, look for the provider's messages in the log",
};

/**
 * Describes a failed step; what is none of an operator's business is thrown again.
 *
 * @throws The error itself, if it is neither the provider's nor the account's.
 */
export function failureOf(error: unknown, context: FailureContext): VerificationFailure {
  if (error instanceof TokenError) return tokenFailure(error, context);
  if (error instanceof DialError) return dialFailure(error, context);
  if (error instanceof CircuitOpenError) {
    const remedy = "Wait half a minute and verify again: the failures before this one are in the log";
    return { step: "connect", cause: error.message, remedy, kind: "unavailable" };
  }
  if (error instanceof PoolBusyError || error instanceof ThrottledError) {
    const remedy = "Verify again when the account sends less: the provider allows no further connection now";
    return { step: "connect", cause: error.message, remedy, kind: "unavailable" };
  }
  // sasl_user or the token can't be put into XOAUTH2.
  if (error instanceof RangeError) {
    return { step: "auth", cause: error.message, remedy: "Check sasl_user and email", kind: "refused" };
  }
  throw error;
}

function tokenFailure(error: TokenError, { account }: FailureContext): VerificationFailure {
  return {
    step: "token",
    cause: error.message,
    remedy: googleRemedy(error, account) ?? error.remedy,
    kind: error.code === "NEEDS_AUTHORIZATION" ? "refused" : "unavailable",
    ...(error.error !== undefined && { tokenError: error.error }),
  };
}

/** Google has one error for several reasons (Google, "Using OAuth 2.0": refresh token expiration). */
function googleRemedy(
  { error }: TokenError,
  { provider, grant }: FailureContext["account"],
): string | undefined {
  const isGoogle = URL.parse(provider.tokenUrl)?.hostname.endsWith("googleapis.com") ?? false;
  if (!isGoogle || error !== "invalid_grant") return undefined;
  return grant === "service_account"
    ? "Check that the mailbox exists, that this host's clock is right, and that the service account has domain-wide delegation for https://mail.google.com/"
    : "Authorize the account again: Google ends a grant when the password changes, after 6 months without use, and after 7 days while the app's publishing status is Testing";
}

function dialFailure(error: DialError, { scopeRemedy }: FailureContext): VerificationFailure {
  const { phase: step, reply, message: cause } = error;
  if (!reply) return { step, cause, remedy: remedies[step], kind: "unavailable" };
  const { cause: kind, remedy } = diagnose(reply);
  const isScope = kind === "sign-in-refused" && scopeRemedy !== undefined;
  return {
    step,
    cause,
    remedy: isScope ? scopeRemedy : kind === "other" ? remedies[step] : remedy,
    kind: reply.isTransient ? "unavailable" : "refused",
  };
}
