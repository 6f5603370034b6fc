/** One command of a transaction on its way: what to send, and the reply once it is there. */

import {
  formatMail,
  formatRcpt,
  type MailArgument,
  type Offers,
  type RcptArgument,
} from "../smtp/mail_parameters.ts";
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

/** The replies that say yes (RFC 5321 §4.3.2); one that says no can have any code from 400 on. */
const YES: Readonly<Record<Step["verb"], readonly number[]>> = {
  MAIL: [250],
  RCPT: [250, 251, 252],
  DATA: [354],
};

/**
 * Whether a reply can't be one to this command: a yes to another one, 421, which is a connection's last word, and a refusal for
 * the lack of a sign-in, which a connection that was signed in has lost then.
 */
export function isOutOfStep(step: Step, reply: Reply): boolean {
  const { code } = reply;
  if (code < 400) return !YES[step.verb].includes(code);
  return code === 421 || lacksSignIn(reply);
}

/** The service extensions that a step can't do without. */
export function extensionsFor(step: Step): readonly string[] {
  switch (step.verb) {
    case "MAIL": {
      const { smtputf8, body, dsn } = step.mail;
      if (!smtputf8 && body !== "8BITMIME" && dsn.length === 0) return NONE;
      return [
        ...(smtputf8 ? ["SMTPUTF8"] : []),
        ...(body === "8BITMIME" ? ["8BITMIME"] : []),
        ...(dsn.length > 0 ? ["DSN"] : []),
      ];
    }
    case "RCPT":
      return step.rcpt.dsn.length > 0 ? ["DSN"] : NONE;
    case "DATA":
      return NONE;
  }
}

const NONE: readonly string[] = [];

/** The answer to what uses an extension that EHLO has offered, before anybody could ask the server; the next EHLO won't. */
export function noLongerOffered(extension: string): Reply {
  return Reply.of(
    451,
    "4.3.0",
    `The provider turns out not to offer ${extension}, say EHLO again and try again`,
  );
}

/** Why a server can't be sent these steps, which EHLO's offer has brought about. */
export function unsupported(steps: readonly Step[], offers: Offers): Reply | undefined {
  for (const step of steps) {
    const missing = extensionsFor(step).find((extension) => !offers(extension));
    if (missing !== undefined) return noLongerOffered(missing);
  }
  return undefined;
}
