import type { DialPhase } from "../upstream/upstream_error.ts";

/** What is tried, in this order; `tls` and `ehlo` come again after `starttls`. */
export type VerificationStepName = "token" | "scope" | DialPhase;

/** One step and how it went. No secret in it. */
export interface VerificationStep {
  readonly name: VerificationStepName;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

/** Why an account can't send. */
export interface VerificationFailure {
  readonly step: VerificationStepName;
  /** What happened, one sentence. */
  readonly cause: string;
  /** What the operator can do, one sentence. */
  readonly remedy: string;
  /** `refused`: until somebody acts. `unavailable`: the provider could not be asked, or has a passing problem. */
  readonly kind: "refused" | "unavailable";
  /** `error` of the token endpoint (RFC 6749 §5.2), where it was that. */
  readonly tokenError?: string;
}

/** How the verification of an account ended. */
export interface Verification {
  readonly ok: boolean;
  readonly steps: readonly VerificationStep[];
  readonly failure?: VerificationFailure;
}
