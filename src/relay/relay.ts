/** Joins sessions to mailboxes: begins transactions, and says what a mailbox's provider can take. */

import type { ProviderSettings } from "../config/settings.ts";
import { idleTracer, type Tracer } from "../telemetry/tracer.ts";
import type { Dialer } from "../upstream/dialer.ts";
import type { Mailbox } from "../upstream/mailbox.ts";
import type { UpstreamPools } from "../upstream/upstream_pools.ts";
import { BufferPool } from "./buffer_pool.ts";
import { Transaction, type TransactionContext } from "./transaction.ts";
import type { TransactionObserver } from "./transaction_record.ts";

/** What may be promised to a client. */
export interface RelayOffer {
  /** EHLO keywords that the way upstream keeps. */
  readonly extensions: ReadonlySet<string>;
  readonly messageOctets?: number;
  readonly recipientsPerMessage?: number;
}

/** The mailboxes that are configured now. */
export interface Mailboxes {
  /** By e-mail, without regard to case. */
  get(email: string): Mailbox | undefined;
  /** Every provider that an account uses, each once. */
  readonly providers: Iterable<ProviderSettings>;
}

export interface RelayOptions {
  readonly pools: UpstreamPools;
  readonly dialer: Dialer;
  readonly mailboxes: Mailboxes;
  readonly observer: TransactionObserver;
  /** Default: none. */
  readonly tracer?: Tracer;
  readonly now: () => number;
  readonly dryRun: boolean;
}

/** What a provider that nobody has asked yet is taken to offer; every provider with a preset does. */
const USUAL_EXTENSIONS = ["8BITMIME", "SMTPUTF8"];

/** One for the daemon. */
export class Relay {
  readonly buffers = new BufferPool();
  readonly #options: RelayOptions;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  get isDryRun(): boolean {
    return this.#options.dryRun;
  }

  /** The mailbox of an account, or `undefined` when it is not (or no longer) configured. */
  mailbox(account: string): Mailbox | undefined {
    return this.#options.mailboxes.get(account);
  }

  /** What the account's provider keeps; without an account, what every provider in use keeps. */
  offer(account?: string): RelayOffer {
    const mailbox = account === undefined ? undefined : this.mailbox(account);
    const providers = mailbox ? [mailbox.provider] : [...this.#options.mailboxes.providers];
    const offered = providers.map((provider) =>
      this.#options.dialer.extensionsOf(provider) ?? USUAL_EXTENSIONS
    );
    const [first = USUAL_EXTENSIONS, ...others] = offered;
    const messageOctets = greatest(providers.map(({ limits }) => limits.messageOctets));
    const recipientsPerMessage = greatest(providers.map(({ limits }) => limits.recipientsPerMessage));
    return {
      extensions: new Set(first.filter((keyword) => others.every((keywords) => keywords.includes(keyword)))),
      ...(messageOctets !== undefined && { messageOctets }),
      ...(recipientsPerMessage !== undefined && { recipientsPerMessage }),
    };
  }

  /** Begins a transaction of an account. */
  begin(mailbox: Mailbox, context: TransactionContext): Transaction {
    const { pools, observer, now, tracer = idleTracer } = this.#options;
    return new Transaction({ pool: pools.for(mailbox), observer, now, tracer, ...context });
  }
}

/** Before sign-in nobody knows which mailbox it will be: the widest limit is promised, the mailbox's own is checked at MAIL. */
function greatest(limits: readonly (number | undefined)[]): number | undefined {
  return limits.length === 0 || limits.includes(undefined) ? undefined : Math.max(...limits as number[]);
}
