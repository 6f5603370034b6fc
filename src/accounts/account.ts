/** One mailbox with its OAuth grant, as the rest of the program sees it; `accounts_file.ts` knows how files spell it. */

import type { ProviderSettings } from "../config/settings.ts";

/** How access tokens for an account are obtained (RFC 6749 §6, §4.4; RFC 7523 §2.1 for Google service accounts). */
export type Grant = "refresh_token" | "client_credentials" | "service_account";

/** An account, validated. Secrets are in clear here and nowhere else. */
export interface Account {
  /** The mailbox; unique, compared without regard to case. */
  readonly email: string;
  /** Name of a preset or of a provider in config.json. */
  readonly providerName: string;
  readonly grant: Grant;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly refreshToken?: string;
  /** PEM (PKCS#8), or the JSON key file of a Google service account. */
  readonly privateKeyFile?: string;
  readonly certificateFile?: string;
  /** Entra tenant: GUID, domain, `common`, `organizations` or `consumers`. */
  readonly tenant?: string;
  readonly scope?: string;
  /** What clients sign in with; default: the e-mail. Compared without regard to case. */
  readonly username: string;
  /** scrypt hash of the password that clients sign in with; absent: loopback clients only, any password. */
  readonly passwordHash?: string;
  /** `user=` of XOAUTH2; default: the e-mail. */
  readonly saslUser: string;
  /** The provider's settings with this account's overrides applied. */
  readonly provider: ProviderSettings;
}
