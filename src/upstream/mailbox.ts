/** What the pool needs to know of one account, and nothing of OAuth or files. */

import type { ProviderSettings } from "../config/settings.ts";

/** An access token and how long it is good for. */
export interface UpstreamToken {
  readonly value: string;
  readonly expiresAtMs: number;
}

/** Where tokens come from. */
export interface TokenSource {
  /** A valid token; rejects with an error whose `remedy` tells the operator what to do. */
  get(signal: AbortSignal): Promise<UpstreamToken>;
  /** The provider refused this token: the next `get` fetches another. */
  invalidate(token: UpstreamToken): void;
}

/** One mailbox as the pool sees it. */
export interface Mailbox {
  readonly email: string;
  /** `user=` of XOAUTH2. */
  readonly saslUser: string;
  readonly provider: ProviderSettings;
  /** PEM certificates to trust beside the built-in ones. */
  readonly caCerts: readonly string[];
  readonly tokens: TokenSource;
}
