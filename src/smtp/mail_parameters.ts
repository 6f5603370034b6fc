/**
 * The ESMTP parameters of MAIL and RCPT that are understood here: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531),
 * RET, ENVID, NOTIFY, ORCPT (RFC 3461) and AUTH (RFC 4954 §5).
 */

import { isInternationalized, type PathArgument, type PathFault } from "./path.ts";

/** `MAIL`, understood. */
export interface MailArgument {
  readonly reversePath: string;
  /** Octets that the client announced. */
  readonly size?: number;
  readonly body?: "7BIT" | "8BITMIME";
  readonly smtputf8: boolean;
  /** RET and ENVID as they stand, for a server that offers DSN. */
  readonly dsn: readonly string[];
}

/** `RCPT`, understood. */
export interface RcptArgument {
  readonly forwardPath: string;
  /** NOTIFY and ORCPT as they stand, for a server that offers DSN. */
  readonly dsn: readonly string[];
}

/** A parameter that is malformed (501) or not offered (555); RFC 5321 §4.1.1.11. */
export interface ParameterFault extends PathFault {
  readonly code: 501 | 553 | 555;
}

// RFC 3461 §4: "+" and "=" and what isn't printable ASCII are written as "+" and two upper-case hexadecimal digits.
const XTEXT = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/;
const NOTIFY = /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)$/i;

const MAIL_SYNTAX: Readonly<Record<string, (value: string | undefined) => boolean>> = {
  SIZE: (value) => value !== undefined && /^\d{1,20}$/.test(value),
  BODY: (value) => value !== undefined && /^(?:7BIT|8BITMIME)$/i.test(value),
  SMTPUTF8: (value) => value === undefined,
  RET: (value) => value !== undefined && /^(?:FULL|HDRS)$/i.test(value),
  ENVID: (value) => value !== undefined && value.length <= 100 && XTEXT.test(value),
  AUTH: (value) => value !== undefined && (value === "<>" || XTEXT.test(value)),
};

const RCPT_SYNTAX: Readonly<Record<string, (value: string | undefined) => boolean>> = {
  NOTIFY: (value) => value !== undefined && NOTIFY.test(value),
  // An internationalized ORCPT may be in UTF-8 where MAIL carried SMTPUTF8 (RFC 6533 §3).
  ORCPT: (value) => value !== undefined && value.length <= 500 && /^[A-Za-z0-9-]+;\S+$/.test(value),
};

/** Understands the parameters of MAIL. */
export function parseMailArgument({ address, parameters }: PathArgument): MailArgument | ParameterFault {
  const fault = syntaxFault(parameters, MAIL_SYNTAX);
  if (fault) return fault;
  const smtputf8 = parameters.has("SMTPUTF8");
  if (isInternationalized(address) && !smtputf8) return { code: 553, fault: "The address needs SMTPUTF8" };
  const size = parameters.get("SIZE");
  const body = parameters.get("BODY")?.toUpperCase() as "7BIT" | "8BITMIME" | undefined;
  return {
    reversePath: address,
    // Beyond 2^53 a number would not be written as it was read; nothing takes a message of that size.
    ...(size !== undefined && { size: Math.min(Number(size), Number.MAX_SAFE_INTEGER) }),
    ...(body !== undefined && { body }),
    smtputf8,
    dsn: words(parameters, ["RET", "ENVID"]),
  };
}

/**
 * Understands the parameters of RCPT.
 *
 * @param smtputf8 Whether MAIL carried SMTPUTF8.
 */
export function parseRcptArgument(
  { address, parameters }: PathArgument,
  smtputf8: boolean,
): RcptArgument | ParameterFault {
  const fault = syntaxFault(parameters, RCPT_SYNTAX);
  if (fault) return fault;
  if (isInternationalized(address) && !smtputf8) return { code: 553, fault: "The address needs SMTPUTF8" };
  if (isInternationalized(parameters.get("ORCPT") ?? "") && !smtputf8) {
    return { code: 553, fault: "ORCPT in UTF-8 needs SMTPUTF8" };
  }
  return { forwardPath: address, dsn: words(parameters, ["NOTIFY", "ORCPT"]) };
}

/** What a server offers decides which parameters it is sent. */
export type Offers = (extension: string) => boolean;

/** Writes `MAIL` for a server. */
export function formatMail(mail: MailArgument, offers: Offers): string {
  let line = `MAIL FROM:<${mail.reversePath}>`;
  if (mail.size !== undefined && offers("SIZE")) line += ` SIZE=${mail.size}`;
  if (mail.body !== undefined && offers("8BITMIME")) line += ` BODY=${mail.body}`;
  if (mail.smtputf8) line += " SMTPUTF8";
  if (offers("DSN")) { for (const word of mail.dsn) line += ` ${word}`; }
  return line;
}

/** Writes `RCPT` for a server. */
export function formatRcpt(rcpt: RcptArgument, offers: Offers): string {
  let line = `RCPT TO:<${rcpt.forwardPath}>`;
  if (offers("DSN")) { for (const word of rcpt.dsn) line += ` ${word}`; }
  return line;
}

function syntaxFault(
  parameters: PathArgument["parameters"],
  syntax: Readonly<Record<string, (value: string | undefined) => boolean>>,
): ParameterFault | undefined {
  for (const [keyword, value] of parameters) {
    const isValid = Object.hasOwn(syntax, keyword) ? syntax[keyword] : undefined;
    if (!isValid) return { code: 555, fault: `Parameter ${keyword} is not supported` };
    if (!isValid(value)) return { code: 501, fault: `Parameter ${keyword} is malformed` };
  }
  return undefined;
}

function words(parameters: PathArgument["parameters"], keywords: readonly string[]): string[] {
  return keywords.flatMap((keyword) => {
    const value = parameters.get(keyword);
    return value === undefined ? [] : [`${keyword}=${value}`];
  });
}
