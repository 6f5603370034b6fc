/** The daemon, put together: what each part is given, in which order they start, and how they end. */

import { AccountStore } from "../accounts/account_store.ts";
import { unmatchableHash, verifyPassword } from "../accounts/password_hash.ts";
import { loadSecretBox } from "../accounts/secret_box.ts";
import type { DaemonStatus } from "../admin/admin_context.ts";
import { type AdminServer, startAdminServer } from "../admin/admin_server.ts";
import { ConfigError } from "../config/config_error.ts";
import { listenerOfAccount } from "../config/listener_account.ts";
import { resolveProvider } from "../config/resolve_provider.ts";
import type { Settings } from "../config/settings.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { ReloadOutcome } from "../lifecycle/reload.ts";
import { abortable } from "../waiting/abortable.ts";
import { TokenService } from "../oauth/token_service.ts";
import { Relay } from "../relay/relay.ts";
import { Authenticator } from "../submission/authenticator.ts";
import { SubmissionServer } from "../submission/submission_server.ts";
import type { Log } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { openTracer, type Tracer } from "../telemetry/tracer.ts";
import { Deadlines } from "../transport/deadlines.ts";
import { listenFailure } from "../transport/listen_failure.ts";
import { Dialer } from "../upstream/dialer.ts";
import { UpstreamPools } from "../upstream/upstream_pools.ts";
import { planListeners } from "./listener_plans.ts";
import { type Authorities, MailboxDirectory, providersOf, readAuthorities } from "./mailbox_directory.ts";
import { prewarm } from "./prewarm.ts";
import { versionNumber } from "../version_number.ts";
import type { TakeOver } from "./take_over.ts";
import { TransactionLog } from "./transaction_log.ts";

export interface DaemonOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the daemon that runs already. */
  readonly takeOver?: TakeOver;
}

/** All parts of a running daemon. `start` opens it, `drainSteps` and `reloadParts` say how it ends and changes. */
export class Daemon {
  settings: Settings;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  readonly metrics = new Metrics({ version: versionNumber });
  readonly deadlines = new Deadlines();
  readonly store: AccountStore;
  readonly tokens: TokenService;
  readonly mailboxes: MailboxDirectory;
  readonly dialer: Dialer;
  readonly pools: UpstreamPools;
  readonly submission: SubmissionServer;
  readonly transactions: TransactionLog;
  admin: AdminServer | undefined;
  readonly #startedAtMs = Date.now();
  readonly #warmUps = new Set<Promise<void>>();
  #env: DaemonOptions["env"];
  readonly #takeOver: TakeOver | undefined;

  /**
   * Reads the accounts and puts the parts together; nothing listens yet.
   *
   * @throws {ConfigError} With every fault of the accounts file.
   */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const { settings, log, env } = options;
    let daemon: Daemon | undefined;
    const store = await AccountStore.open({
      file: settings.accountsFile,
      stateDirectory: settings.stateDirectory,
      resolveProvider: (name, overrides) => resolveProvider(settings.providers, name, overrides),
      secretBox: await loadSecretBox({ env: (name) => env[name] }),
      log: log.logger.getChild("accounts"),
      neededBy: (email) => listenerOfAccount(daemon?.settings ?? settings, email),
    });
    return daemon = new Daemon(options, { store, tracer: await openTracer(env) });
  }

  private constructor(
    { settings, log, lifecycle, env, takeOver }: DaemonOptions,
    { store, tracer }: { store: AccountStore; tracer: Tracer },
  ) {
    this.settings = settings;
    this.log = log;
    this.lifecycle = lifecycle;
    this.store = store;
    this.#env = env;
    this.#takeOver = takeOver;
    // Steady, whatever becomes of the wall clock: with this waits and ages are measured.
    const now = () => performance.now();
    this.tokens = new TokenService({
      tokenTimeoutMs: settings.tokenTimeoutMs,
      persist: (account, refreshToken) =>
        store.rotateRefreshToken(account.email, refreshToken, { replaces: account.refreshToken }),
      findSuccessor: (account) => store.findSuccessor(account),
      log: log.logger.getChild("oauth"),
      onRefresh: ({ outcome }) => this.metrics.tokenRefreshEnded(outcome),
    });
    this.mailboxes = new MailboxDirectory({ store, tokens: this.tokens, tracer });
    this.dialer = new Dialer({
      deadlines: this.deadlines,
      now,
      clientName: settings.submission.hostname,
      log: log.logger.getChild("upstream"),
      onOutcome: (outcome) => this.metrics.dialEnded(outcome),
      ...(takeOver && { mayDial: takeOver.mayDial }),
    });
    this.pools = new UpstreamPools({
      dialer: this.dialer,
      log: log.logger.getChild("upstream"),
      now,
      onThrottle: () => this.metrics.throttled(),
    });
    this.transactions = new TransactionLog({
      write: log.writerOf("relay"),
      metrics: this.metrics,
      now: Date.now,
    });
    const relay = new Relay({
      pools: this.pools,
      dialer: this.dialer,
      mailboxes: this.mailboxes,
      observer: this.transactions.observe,
      tracer,
      now,
      dryRun: settings.submission.dryRun,
    });
    const authenticator = new Authenticator({
      accountOf: (username) => store.byUsername(username),
      verifyPassword,
      decoyHash: unmatchableHash(),
    });
    this.submission = new SubmissionServer({
      settings: settings.submission,
      relay,
      authenticator,
      deadlines: this.deadlines,
      log: log.logger.getChild("submission"),
      now,
      onSignIn: (outcome) => this.metrics.signInEnded(outcome === "locked-out" ? "throttled" : outcome),
      onSessions: ({ began, security }) =>
        began ? this.metrics.sessionOpened(security) : this.metrics.sessionClosed(),
    });
    this.metrics.observe(() => this.#snapshot());
  }

  /**
   * Opens listeners and admin server. After a failure the listeners may be open: they are the drain's affair.
   *
   * @throws The stop signal's reason, if it aborts while something is read or waited for.
   * @throws {ConfigError} and the system's errors for addresses that can't be had.
   */
  async start(): Promise<void> {
    const { settings, lifecycle: { stopSignal } } = this;
    const authorities = readAuthorities(providersOf(settings, this.store.list()));
    this.mailboxes.refresh(await abortable(authorities, stopSignal));
    const isShared = await this.#takeOver?.isNeeded() ?? false;
    if (!settings.adminOnly) {
      const plans = await abortable(planListeners(settings.listeners), stopSignal);
      await this.submission.listen(plans, { isShared });
    }
    if (isShared) {
      await this.#takeOver?.replace();
      await this.#readAfterTakeOver();
    }
    this.admin = await this.#openAdmin();
    this.#takeOver?.finish();
  }

  /**
   * The other daemon may have rotated refresh tokens until its end; with the old ones accounts would lock themselves out.
   * Settings that can't be used don't stand in the way of that.
   */
  async #readAfterTakeOver(): Promise<void> {
    const { stopSignal } = this.lifecycle;
    const outcome = await this.reload("the take-over");
    if (outcome.applied) return;
    stopSignal.throwIfAborted();
    this.log.logger.getChild("lifecycle").error(
      "The reload after the take-over was refused: going on with the settings of the start, and the accounts as they are now",
    );
    await abortable(this.store.reload(), stopSignal);
    this.accountsChanged();
  }

  async #openAdmin(): Promise<AdminServer> {
    try {
      return await startAdminServer(this.#adminContext());
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      throw listenFailure(error, this.settings.admin);
    }
  }

  /** Begins to open connections ahead of need, where providers ask for it. A stop ends it; the drain waits for that. */
  warmUp(): void {
    if (this.settings.adminOnly) return;
    const log = this.log.logger.getChild("upstream");
    const warmUp = prewarm({ ...this, accounts: this.store.list(), log }, this.lifecycle.stopSignal)
      .finally(() => this.#warmUps.delete(warmUp));
    this.#warmUps.add(warmUp);
  }

  /** Resolves when the warm-ups that are under way have ended, with one member for each. */
  get warmedUp(): Promise<readonly void[]> {
    return Promise.all(this.#warmUps);
  }

  /** Makes the account store's present state live. */
  accountsChanged(authorities?: Authorities): void {
    this.tokens.replace(this.store.list(), { tokenTimeoutMs: this.settings.tokenTimeoutMs });
    const { removed, changed, renewed } = this.mailboxes.refresh(authorities);
    for (const email of removed) this.pools.remove(email);
    for (const mailbox of changed) this.pools.replace(mailbox);
    for (const mailbox of renewed) {
      // A refused sign-in makes an account wait; with a new grant there is nothing to wait for.
      if (this.pools.get(mailbox.email)?.state.backoff) this.pools.replace(mailbox);
    }
    this.admin?.review();
  }

  reload: (reason: string) => Promise<ReloadOutcome> = () => {
    throw new TypeError("Cannot reload: the daemon is not wired for it yet");
  };

  #adminContext() {
    const { settings, log, metrics, store, tokens, dialer, lifecycle, mailboxes, transactions } = this;
    return {
      settings: settings.admin,
      stateDirectory: settings.stateDirectory,
      log: log.logger.getChild("admin"),
      metrics,
      accounts: store,
      tokens,
      dialer,
      withPlace: <T>(email: string, work: () => Promise<T>, signal: AbortSignal) =>
        this.pools.get(email)?.withPlace(work, signal) ?? work(),
      env: this.#env,
      now: Date.now,
      state: () => lifecycle.state,
      status: () => this.status(),
      reload: (reason: string) => this.reload(reason),
      requestStop: (reason: string) => lifecycle.requestStop(reason),
      providers: () => this.settings.providers,
      mailbox: (email: string) => mailboxes.get(email),
      accountsChanged: () => this.accountsChanged(),
      recentTransactions: () => transactions.recent,
    };
  }

  /** The daemon at this moment. */
  async status(): Promise<DaemonStatus> {
    const { lifecycle, submission, settings } = this;
    return {
      version: versionNumber,
      deno: Deno.version.deno,
      state: lifecycle.state,
      ...(lifecycle.stopReason !== undefined && { stopReason: lifecycle.stopReason }),
      uptimeSeconds: Math.round((Date.now() - this.#startedAtMs) / 1000),
      adminOnly: settings.adminOnly,
      dryRun: settings.submission.dryRun,
      listeners: submission.listeners.map(({ address, settings: { security } }) => ({
        ...address,
        security,
      })),
      sessions: submission.sessions,
      messages: submission.messages,
      openCircuits: this.dialer.openCircuits,
      residentMemoryOctets: Deno.memoryUsage().rss,
      accounts: await Promise.all(
        this.store.list().map(async ({ email, providerName }) => {
          const pool = this.pools.get(email);
          return {
            email,
            provider: providerName,
            token: this.tokens.find(email)?.state ?? { state: "unknown" as const },
            ...(pool && { pool: pool.state }),
            rates: await pool?.rates.remaining() ?? {},
          };
        }),
      ),
    };
  }

  #snapshot() {
    const accountStates = new Map<string, number>();
    for (const { email } of this.store.list()) {
      const state = this.tokens.find(email)?.state.state ?? "unknown";
      accountStates.set(state, (accountStates.get(state) ?? 0) + 1);
    }
    const pools = [...this.pools].map(([account, pool]) => {
      const { idle, open, dialing, waiting } = pool.state;
      return { account, idle, busy: open - idle - dialing, dialing, waiting };
    });
    return { pools, accountStates };
  }
}
