import type { Logger } from "@logtape/logtape";
import { ConfigError, type Finding } from "../config/config_error.ts";
import type { Account } from "./account.ts";
import { type AccountDifference, differenceOf } from "./account_difference.ts";
import { AccountDirectory } from "./account_directory.ts";
import type { RecordContext, ResolveProvider } from "./account_from_record.ts";
import type { AccountRecord } from "./account_schema.ts";
import { AccountStoreError } from "./account_store_error.ts";
import { type AccountsDocument, parseAccountsDocument, type RawRecord } from "./accounts_file.ts";
import { checkFileMode } from "./check_file_mode.ts";
import { parseAccounts, type ParsedRecord, parseRecord } from "./parse_accounts.ts";
import { type AccountPatch, addedRecord, changedRecord } from "./record_edits.ts";
import { sealSecrets, unsealSecrets } from "./record_secrets.ts";
import { type KeptToken, RefreshTokenKeeper, type TokenBaseline } from "./refresh_token_keeper.ts";
import type { SecretBox } from "./secret_box.ts";
import { SharedFile } from "./shared_file.ts";

/** What the store is made of. */
export interface AccountStoreOptions {
  /** Path of accounts.json; it need not exist. */
  readonly file: string;
  /** Takes rotated refresh tokens while accounts.json can't be written. */
  readonly stateDirectory: string;
  readonly resolveProvider: ResolveProvider;
  /** Key for secrets that are encrypted at rest; those of new accounts are then encrypted. */
  readonly secretBox?: SecretBox | undefined;
  readonly log: Logger;
  /** Tells what goes by an account's e-mail, in words, if anything: it can't be removed or renamed then. */
  readonly neededBy?: (email: string) => string | undefined;
}

/** A reload, read and checked. */
export interface PreparedAccounts {
  /** Nothing if nothing changes. */
  readonly difference: AccountDifference | undefined;
  readonly warnings: readonly Finding[];
  /** All accounts as they will be. */
  readonly accounts: readonly Account[];
  apply(): void;
  revert(): void;
  /** It won't be applied. */
  discard(): void;
}

interface State {
  readonly directory: AccountDirectory;
  readonly baseline: TokenBaseline;
  readonly resolveProvider: ResolveProvider;
  readonly warnings: readonly Finding[];
}

interface Put {
  readonly make: (old: RawRecord | undefined) => RawRecord;
  /** The refresh token is one that was entered now, and not a copy of what was there. */
  readonly entersToken: boolean;
}

/**
 * The accounts of accounts.json. Reading is from memory; an edit is on disk before its promise resolves, together with
 * whatever other processes have written meanwhile.
 */
export class AccountStore {
  readonly #options: AccountStoreOptions;
  readonly #file: SharedFile<AccountsDocument>;
  readonly #tokens: RefreshTokenKeeper;
  #state: State;
  /** Does again, on what a reload has read, what was done while it read; one for each reload, by what it was done to. */
  readonly #sinceLoads = new Set<Map<string, () => void>>();

  private constructor(options: AccountStoreOptions) {
    const { file, resolveProvider } = options;
    this.#options = options;
    this.#file = new SharedFile({
      path: file,
      parse: (text) => {
        // It may come back: to go by its absence would drop the accounts, and an edit would write a file without them.
        const isThere = text !== undefined && text.trim() !== "";
        if (!isThere && this.list().length > 0) throw goneAway(file);
        return parseAccountsDocument(text, file);
      },
      serialize: (document) => document.serialize(),
    });
    this.#tokens = new RefreshTokenKeeper({ ...options, accountsFile: this.#file });
    this.#state = { directory: new AccountDirectory(), baseline: new Map(), resolveProvider, warnings: [] };
  }

  /**
   * Reads the accounts.
   *
   * @throws {ConfigError} With every fault of the file.
   * @throws {Error} If it, or the file with rotated tokens, can't be read.
   */
  static async open(options: AccountStoreOptions): Promise<AccountStore> {
    const store = new AccountStore(options);
    store.#use(await store.#load(options.resolveProvider));
    return store;
  }

  /** What looked odd at the last load, such as a file that others may read. */
  get warnings(): readonly Finding[] {
    return this.#state.warnings;
  }

  /** All accounts, in the order of the file. */
  list(): Account[] {
    return [...this.#directory.byEmail.values()];
  }

  /** The account of a mailbox. */
  get(email: string): Account | undefined {
    return this.#directory.get(email);
  }

  /** The account that a client signs in to. */
  byUsername(name: string): Account | undefined {
    return this.#directory.byUsername(name);
  }

  /** Checks a record as an edit would, by itself: other accounts may have its names. */
  parse(record: RawRecord): ParsedRecord {
    return parseRecord(record, this.#context);
  }

  /**
   * Makes sure that an edit could be written now.
   *
   * @throws {AccountStoreError} If not.
   */
  async requireWritable(): Promise<void> {
    await this.#explained(() => this.#file.requireWritable());
  }

  /**
   * Adds an account. One whose place it takes leaves it its password, unless the record has one.
   *
   * @throws {ConfigError} If the record has faults; paths begin at the record.
   * @throws {AccountStoreError}
   */
  async add(
    record: AccountRecord,
    { overwrite = false }: { readonly overwrite?: boolean } = {},
  ): Promise<Account> {
    const { email, password_hash } = record;
    return await this.#put(email, {
      entersToken: true,
      make: (old) => {
        if (old !== undefined && !overwrite) {
          throw new AccountStoreError("ACCOUNT_EXISTS", `Cannot add "${email}": there is such an account`);
        }
        // Forgetting the password would open the account to every client on this machine.
        const kept = { password_hash: password_hash ?? old?.["password_hash"] };
        return addedRecord({ ...record, ...kept } as AccountRecord, this.#options.secretBox);
      },
    });
  }

  /**
   * Changes fields of an account; its secrets stay encrypted, or in clear. The first ones are encrypted when there is a key.
   *
   * @throws {ConfigError} If the record would have faults; paths begin at the record.
   * @throws {AccountStoreError}
   */
  async update(email: string, patch: AccountPatch): Promise<Account> {
    return await this.#put(email, {
      entersToken: patch.refresh_token !== undefined,
      make: (old) => {
        if (old === undefined) throw notFound(email);
        return changedRecord(old, { patch, box: this.#options.secretBox });
      },
    });
  }

  /** @throws {AccountStoreError} If something else goes by this account's e-mail. */
  requireUnneeded(email: string): void {
    const needer = this.#options.neededBy?.(email);
    if (needer === undefined) return;
    throw new AccountStoreError(
      "ACCOUNT_NEEDED",
      `Cannot remove or rename "${email}": ${needer} names it; change that in config.json and reload first`,
    );
  }

  /** @throws {AccountStoreError} */
  async remove(email: string): Promise<void> {
    this.requireUnneeded(email);
    let undo = () => {};
    try {
      await this.#edit((document) => {
        if (!document.remove(email)) throw notFound(email);
        // Now: a rotation that is written together with this is not to bring the grant back to disk.
        undo = this.#tokens.noteRemoval(email);
      });
    } catch (error) {
      undo();
      throw error;
    }
    this.#take(`account ${email.toLowerCase()}`, () => this.#leave(email));
    await this.#tokens.forget(email);
  }

  /**
   * Puts a rotated refresh token on disk: into accounts.json, or into the state folder while that can't be written. A
   * grant that was entered meanwhile is left alone, and so is an account that was removed.
   *
   * @param options `replaces` is the token that was rotated away; default the one in memory.
   * @throws {Error} If neither file can be written.
   */
  async rotateRefreshToken(
    email: string,
    refreshToken: string,
    options: { readonly replaces?: string | undefined } = {},
  ): Promise<void> {
    const replaces = options.replaces ?? this.get(email)?.refreshToken;
    if (replaces === undefined) return;
    try {
      const kept = await this.#tokens.rotate(email, { refreshToken, replaces });
      if (kept !== undefined) this.#takeToken(kept);
    } finally {
      // Even where the disk has another one: the old one is spent.
      const account = this.get(email);
      if (account !== undefined) this.#directory.set(this.#withNewestToken(account));
    }
  }

  /**
   * Looks on disk for the refresh token that another process has put in place of an account's, and takes it over.
   *
   * @returns Nothing if there is none, or the account has another token by now.
   */
  async findSuccessor({ email, refreshToken }: Account): Promise<string | undefined> {
    if (refreshToken === undefined || this.get(email)?.refreshToken !== refreshToken) return undefined;
    try {
      const kept = await this.#tokens.findSuccessor(email, refreshToken);
      if (kept === undefined || this.get(email)?.refreshToken !== refreshToken) return undefined;
      this.#takeToken(kept);
      return this.get(email)?.refreshToken;
    } catch (error) {
      this.#options.log.warning("Cannot look for a newer refresh token of {account}: {cause}", {
        account: email,
        cause: error instanceof Error ? error.message : String(error),
      });
      return undefined;
    }
  }

  /**
   * Encrypts or decrypts all secrets in the file, and the tokens in the state folder.
   *
   * @returns Number of accounts whose record changed.
   * @throws {TypeError} If there is no key.
   * @throws {AccountStoreError}
   */
  async convertSecrets(form: "encrypted" | "clear"): Promise<number> {
    const { secretBox } = this.#options;
    if (secretBox === undefined) throw new TypeError("Cannot convert secrets: there is no accounts key");
    const convert = form === "encrypted" ? sealSecrets : unsealSecrets;
    let changed: RawRecord[] = [];
    await this.#edit(({ records }) => {
      changed = records.filter((record) => convert(record, secretBox));
    });
    await this.#explained(() => this.#tokens.convert(form), this.#tokens.statePath);
    this.#use(await this.#load(this.#state.resolveProvider));
    return changed.length;
  }

  /**
   * Reads and checks the file for a reload, and changes nothing in memory yet. What is done until it is applied is done
   * again on what it has read.
   *
   * @param options `resolveProvider` where the providers are reloaded too.
   * @throws {ConfigError} With every fault of the file, or if it was there and is gone.
   */
  async prepareReload(
    options: { readonly resolveProvider?: ResolveProvider } = {},
  ): Promise<PreparedAccounts> {
    const before = this.#state;
    const sinceLoad = new Map<string, () => void>();
    const discard = () => void this.#sinceLoads.delete(sinceLoad);
    this.#sinceLoads.add(sinceLoad);
    const after = await this.#load(options.resolveProvider ?? before.resolveProvider).catch((error) => {
      discard();
      throw error;
    });
    const difference = differenceOf(before.directory.byEmail, after.directory.byEmail);
    const isEmpty = Object.values(difference).every((emails) => emails.length === 0);
    return {
      difference: isEmpty ? undefined : difference,
      warnings: after.warnings,
      accounts: [...after.directory.byEmail.values()],
      apply: () => {
        discard();
        this.#use(after);
        for (const doAgain of sinceLoad.values()) doAgain();
      },
      revert: () => this.#use(before),
      discard,
    };
  }

  /**
   * Reads the file again.
   *
   * @throws {ConfigError} With every fault of the file; the accounts are then as before.
   */
  async reload(): Promise<AccountDifference> {
    const { difference, apply } = await this.prepareReload();
    apply();
    return difference ?? { added: [], removed: [], changed: [] };
  }

  /** Resolves when every edit under way is on disk. */
  async close(): Promise<void> {
    await this.#file.settled();
    await this.#tokens.settled();
  }

  get #directory(): AccountDirectory {
    return this.#state.directory;
  }

  get #context(): RecordContext {
    return { resolveProvider: this.#state.resolveProvider, secretBox: this.#options.secretBox };
  }

  async #load(resolveProvider: ResolveProvider): Promise<State> {
    const { file, secretBox } = this.#options;
    const document = await this.#file.read();
    const { accounts, warnings } = parseAccounts(document, { file, resolveProvider, secretBox });
    const baseline = await this.#tokens.readBaseline(accounts, document.records);
    const newest = accounts.map((account) => this.#withNewestToken(account, baseline));
    const mode = await checkFileMode(file);
    return {
      directory: new AccountDirectory(newest),
      baseline,
      resolveProvider,
      warnings: [...mode, ...warnings],
    };
  }

  /** Tokens may have been rotated between a load and its use. */
  #use(state: State): void {
    this.#state = state;
    this.#tokens.useBaseline(state.baseline);
    for (const account of this.list()) {
      const newest = this.#withNewestToken(account);
      if (newest !== account) this.#directory.set(newest);
    }
  }

  #withNewestToken(account: Account, baseline?: TokenBaseline): Account {
    if (account.refreshToken === undefined) return account;
    const refreshToken = this.#tokens.newest(account.email, account.refreshToken, baseline);
    return refreshToken === account.refreshToken ? account : { ...account, refreshToken };
  }

  async #put(email: string, { make, entersToken }: Put): Promise<Account> {
    const written = Promise.withResolvers<{ account: Account; record: RawRecord }>();
    await this.#edit((document) => {
      const made = make(document.find(email));
      const account = this.#check(made, { document, email });
      const record = entersToken ? made : this.#tokens.renew(made, email);
      document.put(email, record);
      written.resolve({ account, record });
    });
    const { account, record } = await written.promise;
    const isRenamed = account.email.toLowerCase() !== email.toLowerCase();
    await Promise.all([
      entersToken && this.#tokens.forget(email),
      isRenamed && this.#tokens.rename(email, account.email),
    ]);
    // From here on nothing is waited for: whoever asks for the account by its new e-mail is to find it with what belongs to it.
    this.#take(`account ${account.email.toLowerCase()}`, () => this.#takeRecord(account, record));
    if (isRenamed) this.#take(`account ${email.toLowerCase()}`, () => this.#leave(email));
    return this.get(account.email) ?? account;
  }

  /** Takes a record over that accounts.json now has, with the providers as they now are. */
  #takeRecord(account: Account, record: RawRecord): void {
    this.#tokens.noteRecord(account.email, record);
    this.#directory.set(this.#withNewestToken(this.parse(record).account ?? account));
  }

  /** Forgets an account that accounts.json no longer has. */
  #leave(email: string): void {
    this.#tokens.noteRemoval(email);
    this.#directory.delete(email);
  }

  #takeToken(kept: KeptToken): void {
    this.#take(`token ${kept.email.toLowerCase()}`, () => {
      const account = this.get(kept.email);
      if (account === undefined) return;
      this.#tokens.note(kept);
      this.#directory.set(this.#withNewestToken(account));
    });
  }

  /** Takes into memory what is on disk, and does so again after a reload that may have read the file before. */
  #take(what: string, change: () => void): void {
    change();
    for (const sinceLoad of this.#sinceLoads) {
      // Behind what was done to the same account before.
      sinceLoad.delete(what);
      sinceLoad.set(what, change);
    }
  }

  /** @throws {ConfigError} If the record has faults, or takes another account's e-mail or user name. */
  #check(
    record: RawRecord,
    { document, email }: { readonly document: AccountsDocument; readonly email: string },
  ) {
    const { file } = this.#options;
    const { account, faults } = this.parse(record);
    if (account === undefined) throw new ConfigError(faults.map((fault) => ({ file, ...fault })));
    const isRenamed = account.email.toLowerCase() !== email.toLowerCase();
    if (isRenamed) this.requireUnneeded(email);
    // Of the document: edits of the same write, and those of other processes, aren't in memory yet.
    const holder = document.holderOf(account.username);
    const taken = [
      ...(isRenamed && document.find(account.email) !== undefined ? ["email"] : []),
      ...(holder !== undefined && holder !== email.toLowerCase() ? ["username"] : []),
    ];
    if (taken.length === 0) return account;
    const fault = { file, message: "belongs to another account", hint: "each account needs its own" };
    throw new ConfigError(taken.map((path) => ({ ...fault, path })));
  }

  #edit(change: (document: AccountsDocument) => void): Promise<void> {
    return this.#explained(() => this.#file.edit(change));
  }

  async #explained(write: () => Promise<void>, path = this.#options.file): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (error instanceof ConfigError || error instanceof AccountStoreError) throw error;
      const cause = error instanceof Error ? error.message : String(error);
      throw new AccountStoreError("ACCOUNTS_NOT_WRITABLE", `Cannot write "${path}": ${cause}`, {
        cause: error,
      });
    }
  }
}

function goneAway(file: string): ConfigError {
  const hint = "put it back; to have no account any more, write [] there";
  return new ConfigError([{ file, path: "", message: "is empty or not there any more", hint }]);
}

function notFound(email: string): AccountStoreError {
  return new AccountStoreError("ACCOUNT_NOT_FOUND", `Cannot find "${email}": there is no such account`);
}
