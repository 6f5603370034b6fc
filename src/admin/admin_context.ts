/** What the admin side is given of the daemon. */

import type { Logger } from "@logtape/logtape";
import type { AccountStore } from "../accounts/account_store.ts";
import type { AdminSettings, Endpoint, ProviderSettings } from "../config/settings.ts";
import type { LifecycleState } from "../lifecycle/lifecycle.ts";
import type { ReloadOutcome } from "../lifecycle/reload.ts";
import type { TokenService } from "../oauth/token_service.ts";
import type { TokenState } from "../oauth/token_state.ts";
import type { TransactionRecord } from "../relay/transaction_record.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Dialer } from "../upstream/dialer.ts";
import type { Mailbox } from "../upstream/mailbox.ts";
import type { MailboxPoolState } from "../upstream/mailbox_pool.ts";

/** One account at one moment. No secrets. */
export interface AccountStatus {
  readonly email: string;
  readonly provider: string;
  readonly token: TokenState;
  /** Absent until the account is first used. */
  readonly pool?: MailboxPoolState;
  /** What is left of the counted limits. */
  readonly rates: { readonly messagesThisMinute?: number; readonly recipientsToday?: number };
}

/** The daemon at one moment. */
export interface DaemonStatus {
  readonly version: string;
  readonly deno: string;
  readonly state: LifecycleState;
  readonly stopReason?: string;
  readonly uptimeSeconds: number;
  readonly adminOnly: boolean;
  readonly dryRun: boolean;
  readonly listeners: readonly (Endpoint & { readonly security: string })[];
  readonly sessions: number;
  /** Messages whose body or final reply is under way. */
  readonly messages: number;
  readonly openCircuits: readonly string[];
  readonly residentMemoryOctets: number;
  readonly accounts: readonly AccountStatus[];
}

/** Everything that the API and the page act upon. */
export interface AdminContext {
  readonly settings: AdminSettings;
  readonly stateDirectory: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly accounts: AccountStore;
  readonly tokens: TokenService;
  readonly dialer: Dialer;
  /** Runs work that connects to an account's provider, within its limit of connections; as `MailboxPool.withPlace`. */
  readonly withPlace: <T>(email: string, work: () => Promise<T>, signal: AbortSignal) => Promise<T>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  readonly state: () => LifecycleState;
  readonly status: () => Promise<DaemonStatus>;
  readonly reload: (reason: string) => Promise<ReloadOutcome>;
  readonly requestStop: (reason: string) => boolean;
  /** The presets and the providers of config.json, by lower-case name. */
  readonly providers: () => ReadonlyMap<string, ProviderSettings>;
  /** The mailbox of an account, with its tokens, as the relay uses it. */
  readonly mailbox: (email: string) => Mailbox | undefined;
  /** Makes edits of the account store live: to be called after each one. */
  readonly accountsChanged: () => void;
  /** The last transactions, newest first. */
  readonly recentTransactions: () => readonly (TransactionRecord & { readonly endedAtMs: number })[];
}
