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

/** Whether a reply can't be one to this command: 421 is a connection's last word, 3yz belongs behind DATA, which has no 2yz. */
export function isOutOfStep(step: Step, { code }: Reply): boolean {
  return code === 421 || (step.verb === "DATA" ? code < 300 : code >= 300 && code < 400);
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
