/** What a provider's refusal means and what an operator can do about it. Texts and codes as providers use them in 2026. */

import type { Reply } from "../smtp/reply.ts";

/** The causes that are told apart, because somebody has to do something different about each. */
export type Cause =
  | "throttled"
  | "too-many-sign-ins"
  | "quota-exceeded"
  | "smtp-auth-disabled"
  | "sign-in-refused"
  | "token-expires-soon"
  | "send-as-refused"
  | "mailbox-full"
  | "license-missing"
  | "daily-limit"
  | "temporary"
  | "other";

export interface Diagnosis {
  readonly cause: Cause;
  /** One sentence for the operator. */
  readonly remedy: string;
}

interface Rule extends Diagnosis {
  /** @param words The provider's own, see `ownWords`. */
  readonly matches: (reply: Reply, words: string) => boolean;
}

/** Exchange's name for an exhausted quota of the submitter. */
const SUBMISSION_QUOTA_EXCEPTION = /\bSubmissionQuotaExceeded(?:Exception)?\b/i;

const RULES: readonly Rule[] = [
  {
    cause: "smtp-auth-disabled",
    matches: (reply, words) =>
      hasCode(reply, "5.7.139") ||
      reply.isPermanent && /\bSmtpClientAuthentication is disabled\b/i.test(words),
    remedy:
      "SMTP AUTH is switched off for the tenant or mailbox: Set-CASMailbox <mailbox> -SmtpClientAuthenticationDisabled $false; security defaults and Conditional Access can block it too",
  },
  {
    cause: "token-expires-soon",
    matches: (reply, words) =>
      hasCode(reply, "5.5.127") || reply.isPermanent && /\btoken will expire soon\b/i.test(words),
    remedy:
      "The provider wants a token with at least 10 minutes of life left; it is refreshed with the next message",
  },
  {
    cause: "send-as-refused",
    matches: (reply, words) =>
      hasCode(reply, "5.7.60", "5.2.252") ||
      reply.isPermanent && /\bSendAsDenied(?:Exception)?\b/i.test(words),
    remedy:
      "The mailbox may not send as this From address: grant it SendAs for the address, or change the sender",
  },
  {
    cause: "mailbox-full",
    matches: (reply, words) =>
      hasCode(reply, "5.2.251") || reply.code === 554 && hasCode(reply, "5.2.2") ||
      reply.isPermanent &&
        /\bSTOREDRV\b.*(?<!Submission)QuotaExceeded(?:Exception)?\b|\bmailbox full\b/i.test(words),
    remedy: "The mailbox is full and can't keep sent items: free space in it or raise its quota",
  },
  {
    cause: "license-missing",
    matches: (reply) => hasCode(reply, "5.2.253"),
    remedy: "The mailbox has no licence that allows sending: assign one",
  },
  {
    cause: "quota-exceeded",
    matches: (reply, words) =>
      reply.isPermanent && (SUBMISSION_QUOTA_EXCEPTION.test(words) || /\bsubmission quota\b/i.test(words)),
    remedy:
      "The mailbox has used up its recipients of the last 24 hours: spread the load over more mailboxes",
  },
  {
    cause: "daily-limit",
    matches: (reply, words) =>
      hasCode(reply, "5.4.5") || reply.isPermanent && /\bdaily (?:\S+ ){0,3}limit\b/i.test(words),
    remedy: "The mailbox has used up its daily sending limit, which frees up over the next 24 hours",
  },
  {
    cause: "too-many-sign-ins",
    matches: (reply, words) =>
      reply.isTransient && /\btoo many (login|sign-in|authentication) attempts\b/i.test(words),
    remedy:
      "The provider saw too many sign-ins: the account waits some minutes; lower connections and let them live longer (connection_max_age_seconds)",
  },
  {
    cause: "sign-in-refused",
    matches: (reply) => reply.code === 535 || reply.code === 534 || reply.code === 530,
    remedy:
      "The provider refuses the token for this mailbox: check sasl_user, the scope, and for app-only access the service principal and its mailbox permission; then authorize the account again",
  },
  {
    cause: "throttled",
    matches: isThrottle,
    remedy: "The provider asks to slow down; the account waits and goes on by itself",
  },
  {
    cause: "temporary",
    matches: (reply) => reply.isTransient,
    remedy: "The provider has a temporary problem; clients try again by themselves",
  },
];

/** Says what a negative reply means. */
export function diagnose(reply: Reply): Diagnosis {
  const words = ownWords(reply);
  const rule = RULES.find((candidate) => candidate.matches(reply, words));
  return rule ?? { cause: "other", remedy: "See the provider's reply" };
}

/**
 * Whether a reply asks for less traffic: 421 and 432, too many sign-ins (454), server busy (4.7.x), and Gmail's 450 4.2.1.
 * A 421 that only reports an idle time-out (4.4.x) doesn't.
 */
export function isThrottle(reply: Reply): boolean {
  if (!reply.isTransient) return false;
  const enhanced = reply.enhancedCode ?? "";
  if (reply.code === 421) return !enhanced.startsWith("4.4.");
  return reply.code === 432 || reply.code === 454 || enhanced.startsWith("4.7.") ||
    (reply.code === 450 && enhanced === "4.2.1");
}

/**
 * Whether a reply says that the mailbox has more connections than the provider takes, as Exchange's 432 does: then one fewer
 * helps, where a wait would keep the others from sending. RFC 4954 §6 has 432 4.7.12 for something else.
 */
export function saysTooManyConnections(reply: Reply): boolean {
  return reply.code === 432 && reply.enhancedCode !== "4.7.12" ||
    reply.isTransient && /\b(?:too many|concurrent)\b[\w\s]*\bconnections?\b/i.test(ownWords(reply));
}

/** Whether a refused MAIL says that this connection has done enough, and a fresh one would do more. */
export function saysConnectionIsSpent(reply: Reply): boolean {
  return /\b(?:in|on|over|for|per) (?:this|one|a|the) (?:connection|session)\b|\btoo many errors\b/i
    .test(ownWords(reply));
}

/**
 * Whether the refusal of one recipient says something of the account, too: the service or the sign-in is throttled (421, 432,
 * 454), or Exchange names the submitter's quota. Anything else may be the recipient's alone, as greylisting (450 4.7.1) is.
 */
export function concernsAccount(reply: Reply): boolean {
  return reply.code === 421 || reply.code === 432 || reply.code === 454 ||
    reply.isPermanent && SUBMISSION_QUOTA_EXCEPTION.test(ownWords(reply));
}

/** Codes stand in front of the text; elsewhere such figures may be part of an IP address or a longer code. */
function hasCode(reply: Reply, ...codes: readonly string[]): boolean {
  return codes.includes(reply.enhancedCode ?? "");
}

/**
 * The text without what may be the client's: providers repeat addresses, which can be made to read like anything. A quoted
 * local part may hold brackets and quotes of its own, so that all from the first mark to the last one goes.
 */
function ownWords(reply: Reply): string {
  return reply.text(2000).replace(/["<](?:.*[">]|.*)/s, " ").replace(/\S*@\S*/g, " ");
}
