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

/** Open services. Disposing them lets what is being written finish. */
export interface LocalServices extends AsyncDisposable {
  readonly settings: Settings;
  readonly store: AccountStore;
  readonly tokens: TokenService;
  readonly dialer: Dialer;
  readonly mailboxes: MailboxDirectory;
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
  return {
    settings,
    store,
    tokens,
    dialer,
    mailboxes,
    async [Symbol.asyncDispose]() {
      await tokens.close();
      await store.close();
      deadlines[Symbol.dispose]();
    },
  };
}

/** Nobody has configured it in a command, so it writes nothing: commands say themselves what matters. */
function commandLog() {
  return getLogger(["xoauth2-proxy", "command"]);
}
