/** What commands need to work on accounts by themselves, without a daemon. */

import { getLogger } from "@logtape/logtape";
import { AccountStore } from "../accounts/account_store.ts";
import { loadSecretBox } from "../accounts/secret_box.ts";
import type { Environment } from "../config/platform_places.ts";
import { listenerOfAccount } from "../config/listener_account.ts";
import { resolveProvider } from "../config/resolve_provider.ts";
import type { Settings } from "../config/settings.ts";
import { MailboxDirectory, readAuthorities } from "../daemon/mailbox_directory.ts";
import { refuseAccountsFaults } from "../daemon/start_faults.ts";
import { TokenService } from "../oauth/token_service.ts";
import { Deadlines } from "../transport/deadlines.ts";
import { Dialer } from "../upstream/dialer.ts";
import { atMost } from "../waiting/at_most.ts";

/**
 * Open services. Disposing them begins no more token requests, gives those under way half a second for their answer, and lets
 * what is being written finish.
 */
export interface LocalServices extends AsyncDisposable {
  readonly settings: Settings;
  readonly store: AccountStore;
  readonly tokens: TokenService;
  readonly dialer: Dialer;
  readonly mailboxes: MailboxDirectory;
  /**
   * Runs what isn't to be cut off between a provider's answer and the accounts file. It is waited for when the services are
   * disposed of; from then on nothing is begun, and who waits for a result gets none.
   */
  readonly whole: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Where the services look. */
export interface LocalServicesOptions {
  readonly settings: Settings;
  readonly env: Environment;
}

/**
 * Opens the accounts file.
 *
 * @throws {ConfigError} With every fault of it.
 */
export async function openStore({ settings, env }: LocalServicesOptions): Promise<AccountStore> {
  return await AccountStore.open({
    file: settings.accountsFile,
    stateDirectory: settings.stateDirectory,
    resolveProvider: (name, overrides) => resolveProvider(settings.providers, name, overrides),
    secretBox: await loadSecretBox({ env: (name) => env[name] }),
    log: commandLog(),
    neededBy: (email) => listenerOfAccount(settings, email),
  });
}

/**
 * Opens the accounts file and what it takes to use the accounts.
 *
 * @throws {ConfigError} With every fault of the file, of the accounts key or the rotated tokens, or for a `ca_file` that can't
 *   be read.
 */
export async function openLocalServices(options: LocalServicesOptions): Promise<LocalServices> {
  const { settings } = options;
  await refuseAccountsFaults(settings, options.env);
  const store = await openStore(options);
  const tokens = new TokenService({
    tokenTimeoutMs: settings.tokenTimeoutMs,
    persist: ({ email, refreshToken: replaces }, rotated) =>
      store.rotateRefreshToken(email, rotated, { replaces }),
    findSuccessor: (account) => store.findSuccessor(account),
    log: commandLog(),
  });
  const mailboxes = new MailboxDirectory({ store, tokens });
  const providers = [...settings.providers.values(), ...store.list().map(({ provider }) => provider)];
  mailboxes.refresh(await readAuthorities(providers));
  const deadlines = new Deadlines();
  const dialer = new Dialer({ deadlines, now: Date.now, clientName: settings.submission.hostname });
  const wholes = new Wholes();
  return {
    settings,
    store,
    tokens,
    dialer,
    mailboxes,
    whole: (work) => wholes.run(work),
    async [Symbol.asyncDispose]() {
      await Promise.all([tokens.close(), wholes.close()]);
      await store.close();
      deadlines[Symbol.dispose]();
    },
  };
}

/** What is to be waited for at the end. */
class Wholes {
  readonly #running = new Set<Promise<unknown>>();
  #isClosing = false;

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosing) return await never;
    const result = work();
    const ended: Promise<unknown> = Promise.allSettled([result]).finally(() => this.#running.delete(ended));
    this.#running.add(ended);
    await ended;
    return await (this.#isClosing ? never : result);
  }

  /** Resolves when all have ended, or after a while: a provider may leave them without an answer. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await atMost(graceMs, Promise.all(this.#running));
  }
}

/** As long as the token service waits for answers. */
const graceMs = 500;

/** Never settles. */
const never = new Promise<never>(() => {});

/** Nobody has configured it in a command, so it writes nothing: commands say themselves what matters. */
function commandLog() {
  return getLogger(["xoauth2-proxy", "command"]);
}
