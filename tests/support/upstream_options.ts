/** Settings of a scripted upstream. */

import type { TransportSecurity } from "../../src/config/settings.ts";
import type { TestCertificates } from "./certificates.ts";
import type { EndOfDataMode } from "./end_of_data.ts";

/** How an upstream is to behave; everything has a default. */
export interface ScriptedUpstreamOptions {
  /** Default: `starttls`. */
  readonly security: TransportSecurity;
  /** Name in greeting and EHLO reply. Default: `upstream.test`. */
  readonly hostname: string;
  /** EHLO lines beside STARTTLS and AUTH. Default: what Gmail and Microsoft 365 have in common, without CHUNKING. */
  readonly extensions: readonly string[];
  /** Default: XOAUTH2. */
  readonly mechanisms: readonly string[];
  /** MAIL before AUTH reads 530. Default: true. */
  readonly requiresAuth: boolean;
  /** Whether a token is good for a user. Default: any. */
  readonly accepts: (user: string, accessToken: string) => boolean;
  /** Default: `google`. */
  readonly refusalStyle: "google" | "microsoft";
  /** Signed-in connections of one mailbox beyond which 432 4.3.2 is said, and at which command. Default: none. */
  readonly connectionLimit?: { readonly perMailbox: number; readonly at: "AUTH" | "MAIL" };
  /** Default: `strict`. */
  readonly endOfData: EndOfDataMode;
  /** False: bodies are counted only, for load. Default: true. */
  readonly keepBodies: boolean;
  /** Default: made for this upstream. */
  readonly certificates?: TestCertificates;
}
