/** Submission server, relay and pools in this process, put together as the daemon does it, against a scripted upstream. */

import type {
  ListenerSettings,
  MailboxLimits,
  PoolSettings,
  ProviderSettings,
  SubmissionSettings,
} from "../../src/config/settings.ts";
import { Relay } from "../../src/relay/relay.ts";
import type { TransactionRecord } from "../../src/relay/transaction_record.ts";
import { Authenticator, type AuthenticatorOptions } from "../../src/submission/authenticator.ts";
import type { CertificatePair } from "../../src/submission/listener.ts";
import { SubmissionServer } from "../../src/submission/submission_server.ts";
import { Deadlines } from "../../src/transport/deadlines.ts";
import type { ReplyTimeouts } from "../../src/upstream/connection.ts";
import type { PhaseTimeouts } from "../../src/upstream/dial.ts";
import { Dialer } from "../../src/upstream/dialer.ts";
import type { Mailbox, TokenSource } from "../../src/upstream/mailbox.ts";
import type { MailboxPool } from "../../src/upstream/mailbox_pool.ts";
import { UpstreamPools } from "../../src/upstream/upstream_pools.ts";
import { type Recorded, recordingLog } from "../unit/lifecycle/recording_log.ts";
import { FailureCounter } from "./failure_counter.ts";
import { FixedTokens } from "./fixed_tokens.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";
import { SmtpTestClient, type SmtpTestClientOptions } from "./smtp_client.ts";
import type { ScriptedUpstreamOptions } from "./upstream_options.ts";

/** The mailbox that is there unless a test names others. */
export const ACCOUNT = "sender@example.com";

/** What its clients sign in with. */
export const PASSWORD = "correct horse";

/** Provider settings of a test, limits and pool laid over the defaults one by one. */
export interface TestProviderSettings extends Partial<Omit<ProviderSettings, "limits" | "pool">> {
  readonly limits?: Partial<MailboxLimits>;
  readonly pool?: Partial<PoolSettings>;
}

/** One mailbox. */
export interface TestAccount {
  readonly email: string;
  /** Default: the e-mail. */
  readonly username?: string;
  /** Default: `PASSWORD`; null: none, open to loopback clients. */
  readonly password?: string | null;
  readonly saslUser?: string;
  /** Default: `FixedTokens`. */
  readonly tokens?: TokenSource;
  /** Over the proxy's own `provider`. */
  readonly provider?: TestProviderSettings;
  /** Where its mail goes, if not to the proxy's upstream. */
  readonly upstream?: ScriptedUpstream;
}

/** Everything has a default: one plain listener, one account, one upstream of its own. */
export interface ProxyOptions {
  /** Started by the test, which disposes it, too; or how to start one that goes with the proxy. */
  readonly upstream?: ScriptedUpstream | Partial<ScriptedUpstreamOptions>;
  /** One for each listener. TLS kinds use `upstream.certificates.leaf`. */
  readonly listeners?: readonly Partial<ListenerSettings>[];
  readonly submission?: Partial<SubmissionSettings>;
  readonly provider?: TestProviderSettings;
  readonly accounts?: readonly TestAccount[];
  readonly authenticator?: Partial<AuthenticatorOptions>;
  /** Clock of the pools, the dialer and the sessions, in milliseconds. */
  readonly now?: () => number;
  /** Clock of the deadlines. */
  readonly deadlinesNow?: () => number;
  /** Default: 10. */
  readonly tickMs?: number;
  readonly phaseTimeoutsMs?: PhaseTimeouts;
  readonly replyTimeouts?: ReplyTimeouts;
}

/** Starts a proxy. */
export async function startProxy(options: ProxyOptions = {}): Promise<TestProxy> {
  await using stack = new AsyncDisposableStack();
  const { upstream: given } = options;
  const upstream = given instanceof ScriptedUpstream
    ? given
    : stack.use(await ScriptedUpstream.start(given ?? {}));
  const proxy = stack.use(new TestProxy(upstream, options));
  await proxy.submission.listen((options.listeners ?? [{}]).map((listener) => proxy.plan(listener)));
  proxy.own(stack.move());
  return proxy;
}

/** A running proxy. Disposing it ends sessions, pools, and an upstream of its own; every step is awaited. */
export class TestProxy implements AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  readonly deadlines: Deadlines;
  readonly dialer: Dialer;
  readonly pools: UpstreamPools;
  readonly relay: Relay;
  readonly submission: SubmissionServer;
  /** By e-mail in lower case; a test may add and remove. */
  readonly mailboxes = new Map<string, Mailbox>();
  /** Every transaction that is over. */
  readonly transactions: TransactionRecord[] = [];
  /** What was logged. */
  readonly logged: readonly Recorded[];
  readonly logMessages: () => string[];
  readonly #accounts: readonly TestAccount[];
  readonly #watchers = new Set<() => void>();
  readonly #failures: FailureCounter;
  #owned: AsyncDisposableStack | undefined;

  /** See `startProxy`. */
  constructor(upstream: ScriptedUpstream, options: ProxyOptions) {
    this.upstream = upstream;
    const { now = Date.now, tickMs = 10, deadlinesNow } = options;
    const { log, records, messages } = recordingLog();
    this.logged = records;
    this.logMessages = messages;
    this.deadlines = new Deadlines({ tickMs, ...(deadlinesNow && { now: deadlinesNow }) });
    this.#failures = new FailureCounter(options.authenticator);
    this.#accounts = options.accounts ?? [{ email: ACCOUNT }];
    for (const account of this.#accounts) this.addMailbox(account, options.provider);
    const { phaseTimeoutsMs, replyTimeouts } = options;
    this.dialer = new Dialer({
      deadlines: this.deadlines,
      now,
      clientName: "proxy.test",
      ...(phaseTimeoutsMs && { phaseTimeoutsMs }),
      ...(replyTimeouts && { replyTimeouts }),
    });
    this.pools = new UpstreamPools({ dialer: this.dialer, log, now });
    const settings = { ...SUBMISSION, ...options.submission };
    const mailboxes = this.mailboxes;
    this.relay = new Relay({
      pools: this.pools,
      dialer: this.dialer,
      mailboxes: {
        get: (email) => mailboxes.get(email.toLowerCase()),
        get providers() {
          return new Set([...mailboxes.values()].map(({ provider }) => provider));
        },
      },
      observer: (record) => {
        this.transactions.push(record);
        for (const look of this.#watchers) look();
      },
      now: () => performance.now(),
      dryRun: settings.dryRun,
    });
    this.submission = new SubmissionServer({
      settings,
      relay: this.relay,
      authenticator: this.#authenticator(options.authenticator),
      deadlines: this.deadlines,
      log,
      now,
      onSessions: () => {
        for (const look of this.#watchers) look();
      },
    });
  }

  /** The pool of an account; made if nobody has used it yet. */
  pool(email = ACCOUNT): MailboxPool {
    return this.pools.for(this.mailboxes.get(email.toLowerCase())!);
  }

  /** The tokens of an account that has none of its own. */
  tokens(email = ACCOUNT): FixedTokens {
    return this.mailboxes.get(email.toLowerCase())!.tokens as FixedTokens;
  }

  /** Port of a listener. */
  port(listener = 0): number {
    return this.submission.listeners[listener]!.address.port;
  }

  /** Connects a client; the greeting is not read yet. */
  connect(options: Partial<SmtpTestClientOptions> & { listener?: number } = {}): Promise<SmtpTestClient> {
    const { listener = 0, ...rest } = options;
    return SmtpTestClient.connect({ port: this.port(listener), ...rest });
  }

  /** Connects a client, greets and signs in. */
  async signIn(
    { email = ACCOUNT, password = PASSWORD, ...options }:
      & Partial<SmtpTestClientOptions>
      & { email?: string; password?: string; listener?: number } = {},
  ): Promise<SmtpTestClient> {
    const client = await this.connect(options);
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.authPlain(email, password);
    return client;
  }

  /** A listener's settings and certificate, for `SubmissionServer.listen`. */
  plan(listener: Partial<ListenerSettings>, pair: CertificatePair = this.upstream.certificates.leaf) {
    const settings = { ...LISTENER, ...listener };
    return settings.security === "none" ? { settings } : { settings, pair };
  }

  /** Adds or replaces a mailbox. */
  addMailbox(account: TestAccount, provider: TestProviderSettings = {}): Mailbox {
    const { email, saslUser = email, tokens = new FixedTokens(), upstream = this.upstream } = account;
    const mailbox = {
      email,
      saslUser,
      provider: providerFor(upstream, provider, account.provider),
      caCerts: [upstream.caCertificate],
      tokens,
    };
    this.mailboxes.set(email.toLowerCase(), mailbox);
    return mailbox;
  }

  /** Resolves when `condition` holds; looked at when a transaction ends or the number of sessions changes. */
  async waitFor(condition: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => condition() && resolve();
    const timer = setTimeout(() => reject(new Error(`The proxy waited in vain for ${what}`)), 10_000);
    this.#watchers.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /** Takes over what was started for this proxy, itself included. */
  own(owned: AsyncDisposableStack): void {
    this.#owned = owned;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const owned = this.#owned;
    this.#owned = undefined;
    if (owned) return await owned.disposeAsync();
    await this.submission.close();
    const drained = this.submission.drain();
    this.submission.cut({ sparingFinalReplies: false });
    this.submission.closeSessions();
    await drained;
    await this.pools.close();
    await this.#failures.clear();
    this.deadlines[Symbol.dispose]();
  }

  /** Passwords compared as they are: scrypt has tests of its own. */
  #authenticator(options: Partial<AuthenticatorOptions> = {}): Authenticator {
    return new Authenticator({
      accountOf: (username) => {
        const account = this.#accounts.find((candidate) =>
          (candidate.username ?? candidate.email).toLowerCase() === username.toLowerCase()
        );
        if (!account) return undefined;
        const { email, username: name = email, password = PASSWORD } = account;
        return { email, username: name, ...(password !== null && { passwordHash: `plain:${password}` }) };
      },
      verifyPassword: (password, hash) => Promise.resolve(hash === `plain:${password}`),
      decoyHash: "decoy",
      failures: this.#failures,
      failureDelayMs: 1,
      ...options,
    });
  }
}

const LISTENER: ListenerSettings = {
  hostname: "127.0.0.1",
  port: 0,
  security: "none",
  requireTlsForAuth: false,
  allowedClients: [],
  maxSessions: 1000,
  maxSessionsPerClient: 1000,
};

const SUBMISSION: SubmissionSettings = {
  hostname: "proxy.test",
  bareNewline: "normalize",
  maxTextLineOctets: 0,
  addReceivedHeader: false,
  commandTimeoutMs: 60_000,
  dataTimeoutMs: 60_000,
  maxBadCommands: 100,
  dryRun: false,
};

function providerFor(
  upstream: ScriptedUpstream,
  common: TestProviderSettings,
  own: TestProviderSettings = {},
): ProviderSettings {
  return {
    name: "test",
    smtpEndpoint: { ...upstream.endpoint, hostname: "127.0.0.1" },
    smtpSecurity: upstream.options.security,
    knownExtensions: upstream.options.extensions.map((line) => line.split(" ")[0]!),
    tokenUrl: "http://127.0.0.1:9/token",
    retry: { maxAttempts: 3, backoffFactor: 2, maxDelayMs: 5, jitter: false },
    circuitBreaker: { enabled: false, failureThreshold: 5, recoveryTimeoutMs: 60_000 },
    ...common,
    ...own,
    limits: { connections: 3, ...common.limits, ...own.limits },
    pool: { ...POOL, ...common.pool, ...own.pool },
  };
}

const POOL: PoolSettings = {
  maxMessagesPerConnection: 1000,
  connectionMaxAgeMs: 600_000,
  connectionIdleTimeoutMs: 60_000,
  waitTimeoutMs: 5000,
  maxTransactions: 1000,
  prewarm: 0,
};
