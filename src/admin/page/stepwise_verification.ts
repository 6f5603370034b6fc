/** The verification of an account, told step by step. */

import type { Account } from "../../accounts/account.ts";
import { formatEndpoint } from "../../config/endpoint.ts";
import type { DialPhase } from "../../upstream/upstream_error.ts";
import type { Verification } from "../../verification/verification.ts";
import { verifyAccount } from "../../verification/verify_account.ts";
import type { AdminServices } from "../admin_services.ts";
import { probeAccount } from "../probe_account.ts";

/** What is told, and what ends it. */
export interface StepwiseVerificationOptions {
  /** Given a sentence when a step has gone well. */
  readonly onStep: (sentence: string) => void;
  readonly signal: AbortSignal;
}

const sentences: Readonly<Record<Exclude<DialPhase, "connect">, string>> = {
  tls: "The connection is encrypted; certificate and host name are right",
  greeting: "The mail server greeted",
  ehlo: "The mail server told what it can do",
  starttls: "The mail server is ready for encryption",
  auth: "The mail server let the account sign in",
};

/**
 * Verifies that an account can sign in to send, as `POST /admin/accounts/{email}/verify` does.
 *
 * @throws The signal's reason when it aborts, or why a rotated refresh token could not be kept.
 */
export async function verifyStepwise(
  { account, services: { context } }: { readonly account: Account; readonly services: AdminServices },
  { onStep, signal }: StepwiseVerificationOptions,
): Promise<Verification> {
  const { tokens, dialer, now, mailbox } = context;
  const { email } = account;
  const verification = await verifyAccount(account, {
    async probe(probeSignal) {
      const granted = await probeAccount(account, { ...context, signal: probeSignal });
      onStep("The provider gave an access token");
      return granted;
    },
    dialer: {
      dial: (target, dialSignal, onPhase) =>
        dialer.dial(target, dialSignal, (phase) => {
          onPhase?.(phase);
          const place = formatEndpoint(target.provider.smtpEndpoint);
          onStep(phase === "connect" ? `Connected to ${place}` : sentences[phase]);
        }),
    },
    withPlace: (work, placeSignal) => context.withPlace(email, work, placeSignal),
    mailbox: mailbox(email)!,
    signal,
    now,
  });
  // What the operator has just mended at the provider counts at once.
  if (verification.ok) tokens.find(email)?.retry();
  return verification;
}
