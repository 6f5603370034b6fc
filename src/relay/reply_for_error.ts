/**
 * What a client reads when its message can't go out now. Always 4yz: the message stays with the client, and whatever is
 * wrong with an account or its provider, an operator can mend it before mail bounces.
 */

import { Reply } from "../smtp/reply.ts";
import { diagnose, isThrottle } from "../upstream/diagnosis.ts";
import { DialError, type UpstreamError } from "../upstream/upstream_error.ts";

/** Turns a failure into a reply. `undefined` for an error that is no failure of the way upstream: a defect, or a cancellation. */
export function replyForError(error: unknown): Reply | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const known = error as UpstreamError | (Error & { code: TokenFailure });
  switch (known.code) {
    case "DIAL":
      return replyForDialError(known as DialError);
    case "UPSTREAM_LOST":
      return Reply.of(451, "4.4.2", `Connection to the provider was lost: ${known.message}`);
    case "CIRCUIT_OPEN":
      return Reply.of(451, "4.4.1", known.message);
    case "POOL_BUSY":
      return Reply.of(451, "4.3.2", known.message);
    case "POOL_CLOSED":
      return Reply.of(451, "4.3.2", "Service is shutting down, try again");
    case "THROTTLED":
      return Reply.of(451, "4.7.1", `The provider asked to slow down: ${known.message}`);
    case "RATE_LIMIT":
      return Reply.of(451, "4.7.1", known.message);
    case "NEEDS_AUTHORIZATION":
      return Reply.of(454, "4.7.0", `The account needs authorization by its operator: ${known.message}`);
    case "TOKEN_UNAVAILABLE":
      return Reply.of(454, "4.7.0", `No access token for the account: ${known.message}`);
    default:
      // A DOMException (a cancellation) has a `code` as well, a number.
      known satisfies never;
      return undefined;
  }
}

/** `code` of the errors that a token source rejects with. */
export type TokenFailure = "NEEDS_AUTHORIZATION" | "TOKEN_UNAVAILABLE";

function replyForDialError(error: DialError): Reply {
  if (error.reply && isThrottle(error.reply)) {
    return Reply.of(451, "4.7.1", `The provider asked to slow down: ${error.reply.text()}`);
  }
  if (error.phase === "auth" && error.reply) {
    return Reply.of(
      454,
      "4.7.0",
      `The provider refused the sign-in: ${error.reply.text()} (${diagnose(error.reply).cause})`,
    );
  }
  return Reply.of(451, "4.4.1", error.message);
}

const SIGN_IN_CODES: readonly number[] = [530, 534, 535, 538];

/**
 * Whether a provider refuses a command because it takes the connection for not signed in: by the codes of RFC 4954 §6,
 * Microsoft's 5.7.57, or, as Exim and others say it, in words.
 */
export function lacksSignIn(reply: Reply): boolean {
  const { code } = reply;
  if (code < 500) return false;
  return SIGN_IN_CODES.includes(code) || reply.enhancedCode === "5.7.57" ||
    /^(5\.\d+\.\d+ )?authentication required\b/i.test(reply.lines[0] ?? "");
}

/**
 * A provider's reply as a client may read it. A 421 says that the provider closes *its* connection; the client's session
 * lives on, so it reads 451 with the provider's text. The proxy's own sign-in is not the client's to mend, and the message
 * waits.
 */
export function relayed(reply: Reply): Reply {
  if (lacksSignIn(reply)) return reply.withCode(454, "4.7.0");
  if (reply.code !== 421) return reply;
  return reply.withCode(451, reply.enhancedCode ?? "4.3.2");
}
