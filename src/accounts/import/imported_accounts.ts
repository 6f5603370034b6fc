import type { AccountRecord } from "../account_schema.ts";
import type { RawRecord } from "../accounts_file.ts";

/** Something in another program's files that has no place here, or needs the operator. */
export interface Unmapped {
  /** Where it stands: a file, section or account. */
  readonly source: string;
  /** What it is and what follows; no secret in it. */
  readonly message: string;
}

/** Accounts found in another program's files, in the spelling of accounts.json; not yet checked. */
export interface ImportedAccounts {
  readonly accounts: readonly (AccountRecord & RawRecord)[];
  readonly unmapped: readonly Unmapped[];
}

const providersByHost: ReadonlyMap<string, string> = new Map([
  ["smtp.gmail.com", "gmail"],
  ["smtp-relay.gmail.com", "gmail-relay"],
  ["oauth2.googleapis.com", "gmail"],
  ["accounts.google.com", "gmail"],
  ["smtp.office365.com", "outlook"],
  ["smtp-mail.outlook.com", "outlook-personal"],
  ["smtp-hve.office365.com", "outlook-hve"],
  ["smtp.office365.us", "outlook-gcc-high"],
  ["smtp.partner.outlook.cn", "outlook-china"],
  ["login.microsoftonline.com", "outlook"],
  ["login.microsoftonline.us", "outlook-gcc-high"],
  ["login.partner.microsoftonline.cn", "outlook-china"],
  ["login.live.com", "outlook-personal"],
  ["smtp.mail.yahoo.com", "yahoo"],
  ["api.login.yahoo.com", "yahoo"],
  ["smtp.aol.com", "aol"],
  ["api.login.aol.com", "aol"],
  ["smtp.fastmail.com", "fastmail"],
  ["api.fastmail.com", "fastmail"],
  ["smtp.yandex.com", "yandex"],
  ["smtp.yandex.ru", "yandex"],
  ["oauth.yandex.com", "yandex"],
  ["smtp.mail.ru", "mailru"],
  ["o2.mail.ru", "mailru"],
  ["smtp.comcast.net", "comcast"],
  ["oauth.xfinity.com", "comcast"],
]);

/** The preset whose SMTP service or token endpoint has this host name. */
export function providerOfHost(hostname: string): string | undefined {
  return providersByHost.get(hostname.toLowerCase());
}

/** How a token endpoint is written in accounts.json: left out, as a tenant of Entra, or as it is. */
export function tokenEndpointFields(tokenUrl: string): { tenant?: string; oauth_token_url?: string } {
  const url = URL.parse(tokenUrl);
  if (url === null) return { oauth_token_url: tokenUrl };
  if (url.href === "https://oauth2.googleapis.com/token") return {};
  const isEntra = url.hostname === "login.microsoftonline.com" ||
    url.hostname === "login.microsoftonline.us" ||
    url.hostname === "login.partner.microsoftonline.cn";
  const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(url.pathname)?.[1];
  return isEntra && tenant !== undefined ? { tenant } : { oauth_token_url: tokenUrl };
}
