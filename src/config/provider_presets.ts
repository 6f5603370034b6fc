/**
 * What is known of the mail services that take XOAUTH2, before anybody configures anything.
 *
 * Sources: Google "XOAUTH2 protocol" and "Gmail sending limits"; Microsoft "Authenticate an IMAP, POP or SMTP
 * connection using OAuth", "SMTP submission improvements" and "National clouds"; the providers' own OAuth pages and
 * Thunderbird's provider list for the others. Every value can be overridden in config.json, since providers change
 * theirs without notice.
 */

import type { MailboxLimits, TransportSecurity } from "./settings.ts";

/** One mail service. URLs hold `{tenant}` where the service has tenants. */
export interface ProviderPreset {
  readonly name: string;
  /** Other names under which operators know it. */
  readonly aliases: readonly string[];
  /** `host:port`. */
  readonly smtpEndpoint: string;
  readonly smtpSecurity: TransportSecurity;
  readonly tokenUrl: string;
  readonly authorizationUrl?: string;
  readonly deviceAuthorizationUrl?: string;
  /** Used where the account names no tenant. */
  readonly tenant?: string;
  readonly scope?: string;
  readonly clientCredentialsScope?: string;
  /** EHLO keywords after sign-in; empty where none is confirmed. */
  readonly knownExtensions: readonly string[];
  readonly limits: MailboxLimits;
}

/** Connections at once to a service that publishes no limit of its own. */
export const unpublishedConnectionLimit = 5;

const exchangeExtensions = [
  "SIZE",
  "PIPELINING",
  "DSN",
  "ENHANCEDSTATUSCODES",
  "8BITMIME",
  "BINARYMIME",
  "CHUNKING",
  "SMTPUTF8",
];

/** Three connections and 30 messages a minute for each mailbox, 10,000 recipients in 24 hours; SIZE of the service. */
const exchangeLimits: MailboxLimits = {
  connections: 3,
  messagesPerMinute: 30,
  recipientsPerDay: 10_000,
  recipientsPerMessage: 500,
  messageOctets: 157_286_400,
};

interface EntraCloud {
  readonly signIn: string;
  readonly smtp: string;
  readonly resource: string;
  readonly tenant?: string;
}

/** A Microsoft cloud: Exchange Online for mail and Entra for tokens. */
function exchangePreset(name: string, aliases: readonly string[], cloud: EntraCloud): ProviderPreset {
  const oauth = `https://${cloud.signIn}/{tenant}/oauth2/v2.0`;
  return {
    name,
    aliases,
    smtpEndpoint: `${cloud.smtp}:587`,
    smtpSecurity: "starttls",
    tokenUrl: `${oauth}/token`,
    authorizationUrl: `${oauth}/authorize`,
    deviceAuthorizationUrl: `${oauth}/devicecode`,
    tenant: cloud.tenant ?? "common",
    scope: `https://${cloud.resource}/SMTP.Send offline_access`,
    knownExtensions: exchangeExtensions,
    limits: exchangeLimits,
  };
}

const microsoftPresets: readonly ProviderPreset[] = [
  {
    ...exchangePreset(
      "outlook",
      ["microsoft", "microsoft365", "microsoft-365", "m365", "office365", "o365", "exchange"],
      {
        signIn: "login.microsoftonline.com",
        smtp: "smtp.office365.com",
        resource: "outlook.office.com",
      },
    ),
    clientCredentialsScope: "https://outlook.office365.com/.default",
  },
  {
    ...exchangePreset("outlook-personal", ["outlook.com", "hotmail", "live", "msn"], {
      signIn: "login.microsoftonline.com",
      smtp: "smtp-mail.outlook.com",
      resource: "outlook.office.com",
      tenant: "consumers",
    }),
    limits: { connections: 3, messagesPerMinute: 30, recipientsPerDay: 5_000, recipientsPerMessage: 500 },
  },
  {
    // High Volume Email publishes no limit for one mailbox, so only the cautious connection cap holds.
    ...exchangePreset("outlook-hve", ["hve", "high-volume-email"], {
      signIn: "login.microsoftonline.com",
      smtp: "smtp-hve.office365.com",
      resource: "outlook.office.com",
    }),
    clientCredentialsScope: "https://outlook.office365.com/.default",
    limits: { connections: unpublishedConnectionLimit },
  },
  {
    ...exchangePreset("outlook-gcc-high", ["gcc-high", "gcchigh"], {
      signIn: "login.microsoftonline.us",
      smtp: "smtp.office365.us",
      resource: "outlook.office365.us",
    }),
    clientCredentialsScope: "https://outlook.office365.us/.default",
  },
  {
    // The SMTP host of this cloud is a third party's word, not Microsoft's.
    ...exchangePreset("outlook-dod", ["dod"], {
      signIn: "login.microsoftonline.us",
      smtp: "outlook-dod.office365.us",
      resource: "outlook.office365.us",
    }),
    clientCredentialsScope: "https://outlook.office365.us/.default",
  },
  {
    ...exchangePreset("outlook-china", ["21vianet", "outlook-21vianet", "office365-china"], {
      signIn: "login.partner.microsoftonline.cn",
      smtp: "smtp.partner.outlook.cn",
      resource: "partner.outlook.cn",
    }),
    clientCredentialsScope: "https://partner.outlook.cn/.default",
  },
];

/** The mail scope is refused by Google's device endpoint, so there is no device authorization URL. */
const googleEndpoints = {
  smtpSecurity: "tls",
  tokenUrl: "https://oauth2.googleapis.com/token",
  authorizationUrl: "https://accounts.google.com/o/oauth2/v2/auth",
  scope: "https://mail.google.com/",
  knownExtensions: ["SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING", "SMTPUTF8"],
  limits: {
    connections: 10,
    recipientsPerDay: 10_000,
    recipientsPerMessage: 100,
    messageOctets: 35_882_577,
  },
} as const;

const unpublished: MailboxLimits = { connections: unpublishedConnectionLimit };

const otherPresets: readonly ProviderPreset[] = [
  {
    name: "gmail",
    aliases: ["google", "googlemail", "google-workspace", "workspace", "gsuite"],
    smtpEndpoint: "smtp.gmail.com:465",
    ...googleEndpoints,
  },
  {
    name: "gmail-relay",
    aliases: ["google-relay", "workspace-relay"],
    smtpEndpoint: "smtp-relay.gmail.com:465",
    ...googleEndpoints,
  },
  {
    name: "yahoo",
    aliases: ["ymail"],
    smtpEndpoint: "smtp.mail.yahoo.com:465",
    smtpSecurity: "tls",
    tokenUrl: "https://api.login.yahoo.com/oauth2/get_token",
    authorizationUrl: "https://api.login.yahoo.com/oauth2/request_auth",
    scope: "mail-w",
    knownExtensions: [],
    limits: unpublished,
  },
  {
    name: "aol",
    aliases: ["aim"],
    smtpEndpoint: "smtp.aol.com:465",
    smtpSecurity: "tls",
    tokenUrl: "https://api.login.aol.com/oauth2/get_token",
    authorizationUrl: "https://api.login.aol.com/oauth2/request_auth",
    scope: "mail-w",
    knownExtensions: [],
    limits: unpublished,
  },
  {
    name: "fastmail",
    aliases: [],
    smtpEndpoint: "smtp.fastmail.com:465",
    smtpSecurity: "tls",
    tokenUrl: "https://api.fastmail.com/oauth/refresh",
    authorizationUrl: "https://api.fastmail.com/oauth/authorize",
    scope: "https://www.fastmail.com/dev/protocol-smtp",
    knownExtensions: [],
    limits: unpublished,
  },
  {
    name: "yandex",
    aliases: ["ya"],
    smtpEndpoint: "smtp.yandex.com:465",
    smtpSecurity: "tls",
    tokenUrl: "https://oauth.yandex.com/token",
    authorizationUrl: "https://oauth.yandex.com/authorize",
    scope: "mail:smtp",
    knownExtensions: [],
    limits: unpublished,
  },
  {
    name: "mailru",
    aliases: ["mail.ru", "vk"],
    smtpEndpoint: "smtp.mail.ru:465",
    smtpSecurity: "tls",
    tokenUrl: "https://o2.mail.ru/token",
    authorizationUrl: "https://o2.mail.ru/login",
    scope: "mail.imap",
    knownExtensions: [],
    limits: unpublished,
  },
  {
    name: "comcast",
    aliases: ["xfinity"],
    smtpEndpoint: "smtp.comcast.net:465",
    smtpSecurity: "tls",
    tokenUrl: "https://oauth.xfinity.com/oauth/token",
    authorizationUrl: "https://oauth.xfinity.com/oauth/authorize",
    // Without `openid`: an ID token would have to be validated and nothing here reads it.
    scope: "https://email.comcast.net/ profile",
    knownExtensions: [],
    limits: unpublished,
  },
];

/** Every preset, the most used first. */
export const providerPresets: readonly ProviderPreset[] = [...otherPresets, ...microsoftPresets];

/** Services that operators ask for and that take no XOAUTH2 over SMTP, with what to do instead. */
export const unsupportedProviders: ReadonlyMap<string, string> = new Map([
  ["zoho", "Zoho offers OAuth for its HTTP API only; its SMTP service takes an application password"],
]);
