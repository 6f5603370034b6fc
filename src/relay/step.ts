/** One command of a transaction on its way: what to send, and the reply once it is there. */

import {
  formatMail,
  formatRcpt,
  type MailArgument,
  type Offers,
  type RcptArgument,
} from "../smtp/mail_parameters.ts";
import type { Extensions } from "../smtp/extensions.ts";
import { Reply } from "../smtp/reply.ts";
import { lacksSignIn } from "./reply_for_error.ts";

export type Step =
  & { reply?: Reply }
  & (
    | { readonly verb: "MAIL"; readonly mail: MailArgument }
    | { readonly verb: "RCPT"; readonly rcpt: RcptArgument }
    | { readonly verb: "DATA" }
  );

/** Answer to what only a transaction could take. */
export const NO_TRANSACTION = Reply.of(503, "5.5.1", "No mail transaction under way");

/** DATA without a recipient (RFC 5321 §3.3). */
export const NO_RECIPIENTS = Reply.of(554, "5.5.1", "No valid recipients");

/** The command line for a server with these extensions. */
export function formatStep(step: Step, offers: Offers): string {
  switch (step.verb) {
    case "MAIL":
      return formatMail(step.mail, offers);
    case "RCPT":
      return formatRcpt(step.rcpt, offers);
    case "DATA":
      return "DATA";
  }
}

/** DATA when recipients were only deferred, so that a client which goes by this reply keeps the message. */
export const NO_RECIPIENTS_NOW = Reply.of(451, "4.5.1", "No recipient could be accepted now, try again");

/**
 * Whether a reply can't be one to this command: 421 is a connection's last word, 3yz belongs behind DATA, which has no 2yz,
 * and a connection that was signed in has lost its sign-in when commands are refused for the lack of one.
 */
export function isOutOfStep(step: Step, reply: Reply): boolean {
  const { code } = reply;
  if (code === 421 || lacksSignIn(reply)) return true;
  return step.verb === "DATA" ? code < 300 : code >= 300 && code < 400;
}

/** Why a server with these extensions can't be sent a message that the client announced so. */
export function unsupported(mail: MailArgument, extensions: Extensions): Reply | undefined {
  if (mail.smtputf8 && !extensions.has("SMTPUTF8")) {
    return Reply.of(550, "5.6.7", "The provider does not take internationalized mail (RFC 6531 section 3.2)");
  }
  if (mail.body === "8BITMIME" && !extensions.has("8BITMIME")) {
    return Reply.of(554, "5.6.3", "The provider does not take 8-bit mail (RFC 6152 section 3)");
  }
  return undefined;
}
