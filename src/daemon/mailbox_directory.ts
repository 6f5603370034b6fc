/** The mailboxes that the relay may use now: accounts with their tokens and the certificates that their providers need. */

import type { Account } from "../accounts/account.ts";
import type { AccountStore } from "../accounts/account_store.ts";
import { ConfigError } from "../config/config_error.ts";
import type { ProviderSettings, Settings } from "../config/settings.ts";
import type { TokenService } from "../oauth/token_service.ts";
import type { Mailboxes } from "../relay/relay.ts";
import { idleTracer, type Tracer } from "../telemetry/tracer.ts";
import type { Mailbox, TokenSource } from "../upstream/mailbox.ts";

/** Certification authorities by `ca_file`. */
export type Authorities = ReadonlyMap<string, string>;

/** Every provider of the settings, and every account's own view of one. */
export function providersOf({ providers }: Settings, accounts: readonly Account[]): Set<ProviderSettings> {
  return new Set([...providers.values(), ...accounts.map(({ provider }) => provider)]);
}

/**
 * Reads every `ca_file` that a provider or an account names.
 *
 * @throws {ConfigError} For a file that can't be read.
 */
export async function readAuthorities(providers: Iterable<ProviderSettings>): Promise<Authorities> {
  const files = new Set([...providers].flatMap(({ caFile }) => caFile === undefined ? [] : [caFile]));
  const texts = await Promise.all([...files].map(async (file) => [file, await readPem(file)] as const));
  return new Map(texts);
}

/** What became of mailboxes that were in use. */
export interface MailboxChanges {
  readonly removed: readonly string[];
  /** Other credentials, limits or end points. */
  readonly changed: readonly Mailbox[];
  /** The same but for its refresh token. */
  readonly renewed: readonly Mailbox[];
}

/** Looks mailboxes up; each account keeps its mailbox until `refresh` finds that it isn't the same any more. */
export class MailboxDirectory implements Mailboxes {
  readonly #store: AccountStore;
  readonly #tokens: TokenService;
  readonly #tracer: Tracer;
  #authorities: Authorities = new Map();
  readonly #mailboxes = new Map<string, { account: Account; mailbox: Mailbox }>();
  #providers: ProviderSettings[] = [];

  /** @param options.tracer Default: none. */
  constructor(
    { store, tokens, tracer = idleTracer }: { store: AccountStore; tokens: TokenService; tracer?: Tracer },
  ) {
    this.#store = store;
    this.#tokens = tokens;
    this.#tracer = tracer;
  }

  get providers(): Iterable<ProviderSettings> {
    return this.#providers;
  }

  /** Takes over the store's accounts. */
  refresh(authorities: Authorities = this.#authorities): MailboxChanges {
    const hasNewAuthorities = JSON.stringify([...authorities]) !== JSON.stringify([...this.#authorities]);
    this.#authorities = authorities;
    this.#providers = [...new Set(this.#store.list().map(({ provider }) => provider))];
    const removed: string[] = [];
    const changed: Mailbox[] = [];
    const renewed: Mailbox[] = [];
    for (const [email, { account }] of [...this.#mailboxes]) {
      const current = this.#store.get(email);
      if (current === account && !hasNewAuthorities) continue;
      this.#mailboxes.delete(email);
      if (!current) removed.push(account.email);
      else if (hasNewAuthorities || !isSameUpstream(account, current)) changed.push(this.get(email)!);
      // A new refresh token is the token manager's affair; the connections stay.
      else renewed.push(this.get(email)!);
    }
    return { removed, changed, renewed };
  }

  get(email: string): Mailbox | undefined {
    const account = this.#store.get(email);
    if (!account) return undefined;
    const key = account.email.toLowerCase();
    const known = this.#mailboxes.get(key);
    // Even if the store has another account by now: `refresh` has to tell those who use this one.
    if (known) return known.mailbox;
    const mailbox = this.#make(account);
    this.#mailboxes.set(key, { account, mailbox });
    return mailbox;
  }

  #make(account: Account): Mailbox {
    const { caFile } = account.provider;
    const authority = caFile === undefined ? undefined : this.#authorities.get(caFile);
    return {
      email: account.email,
      saslUser: account.saslUser,
      provider: account.provider,
      caCerts: authority === undefined ? [] : [authority],
      tokens: this.#traced(this.#tokens.for(account)),
    };
  }

  #traced(tokens: TokenSource): TokenSource {
    if (!this.#tracer.isRecording) return tokens;
    return {
      get: async (signal) => {
        const span = this.#tracer.inside("token");
        try {
          return await span.run(() => tokens.get(signal));
        } finally {
          span.end();
        }
      },
      invalidate: (token) => tokens.invalidate(token),
    };
  }
}

function isSameUpstream(before: Account, after: Account): boolean {
  const { refreshToken: _before, ...rest } = before;
  const { refreshToken: _after, ...current } = after;
  return JSON.stringify(rest) === JSON.stringify(current);
}

async function readPem(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const finding = {
      file,
      path: "",
      message: `can't be read: ${error.name}`,
      hint: "ca_file names a PEM file with the certificates to trust; let the daemon's user read it",
    };
    throw new ConfigError([finding], { cause: error });
  }
}
