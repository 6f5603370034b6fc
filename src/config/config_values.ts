/** The kinds of value that config.json is made of. Each says what it accepts and, when refused, what to write. */

import { z } from "zod";
import { parseCidr } from "./cidr.ts";
import { parseEndpoint } from "./endpoint.ts";
import { isLoopbackHost } from "./loopback_host.ts";

interface Expectation<T> {
  readonly accepts: (value: unknown) => boolean;
  /** Completes "must be …". */
  readonly is: string;
  readonly hint: string;
  /** Carries the type of an accepted value. */
  readonly type?: T;
}

function leaf<T>({ accepts, is, hint }: Expectation<T>): z.ZodCustom<T, T> {
  return z.custom<T>(accepts, { error: `must be ${is}`, params: { hint } });
}

/** A whole number between two bounds, both allowed. */
export function wholeNumber(least: number, most: number): z.ZodCustom<number, number> {
  return leaf<number>({
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
    is: `a whole number from ${least} to ${most}`,
    hint: "without quotes or a unit",
  });
}

/** A number, fractions included, between two bounds. */
export function number(least: number, most: number): z.ZodCustom<number, number> {
  return leaf<number>({
    accepts: (value) => typeof value === "number" && value >= least && value <= most,
    is: `a number from ${least} to ${most}`,
    hint: "without quotes or a unit",
  });
}

/** A duration in seconds. The ceiling is far below the 2^31 ms at which timers overflow. */
export function seconds(least: number): z.ZodCustom<number, number> {
  return leaf<number>({
    accepts: (value) => typeof value === "number" && value >= least && value <= 604_800,
    is: `a number of seconds from ${least} to 604800`,
    hint: "without quotes or a unit, such as 30 or 2.5",
  });
}

/** `true` or `false`. */
export const flag: z.ZodCustom<boolean, boolean> = leaf<boolean>({
  accepts: (value) => typeof value === "boolean",
  is: "true or false",
  hint: "without quotes",
});

/** Text that is not empty. */
export const text: z.ZodCustom<string, string> = leaf<string>({
  accepts: (value) => typeof value === "string" && value.trim() !== "",
  is: "text that is not empty",
  hint: "leave the key out for its default",
});

/** One of a few words. */
export function word<const T extends string>(words: readonly T[]): z.ZodCustom<T, T> {
  return leaf<T>({
    accepts: (value) => typeof value === "string" && words.some((known) => known === value),
    is: `one of ${words.map((known) => `"${known}"`).join(", ")}`,
    hint: "in lower case, with quotes",
  });
}

/** A host name or an address to listen on, without a port. */
export const host: z.ZodCustom<string, string> = leaf<string>({
  accepts: (value) => typeof value === "string" && (/^[A-Za-z0-9._-]+$/.test(value) || isIpv6(value)),
  is: "a host name or an address",
  hint: 'without a port, such as "127.0.0.1", "::" or "localhost"',
});

/** `host:port` of an SMTP service. */
export const smtpEndpoint: z.ZodCustom<string, string> = leaf<string>({
  accepts: (value) => typeof value === "string" && parseEndpoint(value) !== undefined,
  is: "a host and a port",
  hint: 'such as "smtp.example.com:587"; an IPv6 address stands in brackets',
});

/** A URL that may be given secrets: https, or http to this machine (RFC 6749 §3.2, RFC 8252 §8.3). */
export const secureUrl: z.ZodCustom<string, string> = leaf<string>({
  accepts: (value) => typeof value === "string" && isSecureUrl(value),
  is: "an https URL",
  hint: "http is allowed to localhost, 127.0.0.0/8 and [::1] only, because secrets travel to it",
});

/** An address block (RFC 4632, RFC 4291). */
export const cidr: z.ZodCustom<string, string> = leaf<string>({
  accepts: isCidr,
  is: "an address or an address block",
  hint: 'such as "192.0.2.7", "10.0.0.0/8" or "2001:db8::/32"',
});

/** A name to greet with (RFC 5321 §4.1.2, `Domain` or `address-literal`). */
export const greetingName: z.ZodCustom<string, string> = leaf<string>({
  accepts: (value) => typeof value === "string" && value.length <= 255 && isGreetingName(value),
  is: "a host name",
  hint: 'in ASCII and with letters, digits, dots and hyphens only, such as "mail.example.com"',
});

function isGreetingName(name: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name) || /^\[[A-Za-z0-9:.-]+\]$/.test(name);
}

/** An e-mail address, loosely: one `@` with something on both sides. */
export const address: z.ZodCustom<string, string> = leaf<string>({
  accepts: (value) => typeof value === "string" && /^[^@\s]+@[^@\s]+$/.test(value) && isPlain(value),
  is: "an e-mail address",
  hint: "as it stands in accounts.json",
});

/** Whether a text is free of control characters, which end fields of XOAUTH2, and of what UTF-8 can't carry. */
export function isPlain(value: string): boolean {
  return !/[\p{Cc}\p{Cs}]/u.test(value);
}

/** Whether `url` is https, or http to this machine, and holds no user name or password. */
export function isSecureUrl(url: string): boolean {
  const parsed = URL.parse(url.replaceAll("{tenant}", "tenant"));
  if (!parsed || parsed.username !== "" || parsed.password !== "") return false;
  return parsed.protocol === "https:" || (parsed.protocol === "http:" && isLoopbackHost(parsed.hostname));
}

function isIpv6(value: string): boolean {
  return value.includes(":") && !value.includes("/") && isCidr(value);
}

function isCidr(value: unknown): boolean {
  if (typeof value !== "string") return false;
  try {
    parseCidr(value);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
