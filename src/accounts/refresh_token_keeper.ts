import type { Logger } from "@logtape/logtape";
import { ConfigError } from "../config/config_error.ts";
import type { Account } from "./account.ts";
import type { AccountsDocument, RawRecord } from "./accounts_file.ts";
import { openSecret, secretContext } from "./record_secrets.ts";
import { RotatedTokens, type SuccessorOf } from "./rotated_tokens.ts";
import { isSealed, type SecretBox } from "./secret_box.ts";
import type { SharedFile } from "./shared_file.ts";
import { TokenLineage } from "./token_lineage.ts";

/** What the keeper writes to. */
export interface RefreshTokenKeeperOptions {
  readonly accountsFile: SharedFile<AccountsDocument>;
  /** Folder for rotated tokens while accounts.json can't be written. */
  readonly stateDirectory: string;
  readonly secretBox?: SecretBox | undefined;
  readonly log: Logger;
}

/** A rotation: the new token, and the one that it replaces. */
export interface Rotation {
  readonly refreshToken: string;
  readonly replaces: string;
}

/** A refresh token on disk. */
export interface StoredToken {
  /** What accounts.json has, in clear. */
  readonly original: string;
  /** The original is encrypted there. */
  readonly isSealed: boolean;
  /** What the state folder has in its place, in clear. */
  readonly successor?: string | undefined;
}

/** The refresh tokens on disk at one load, by lower-case e-mail. */
export type TokenBaseline = Map<string, StoredToken>;

/** Where a token has got to. */
export interface KeptToken {
  /** Of the account that has it: another than was asked for, if the account was renamed meanwhile. */
  readonly email: string;
  readonly stored: StoredToken;
}

type RotationOf = Rotation & { readonly email: string };

/** Keeps rotated refresh tokens: in accounts.json, or in the state folder while that can't be written. */
export class RefreshTokenKeeper {
  readonly #options: RefreshTokenKeeperOptions;
  readonly #rotated: RotatedTokens;
  readonly #lineage = new TokenLineage();
  #baseline: TokenBaseline = new Map();
  #saidReadOnly = false;

  constructor(options: RefreshTokenKeeperOptions) {
    this.#options = options;
    this.#rotated = new RotatedTokens(options.stateDirectory);
  }

  /** Where tokens are while accounts.json can't be written. */
  get statePath(): string {
    return this.#rotated.path;
  }

  /**
   * Finds the newest tokens of accounts that were just read, and puts them back on disk where an older one has come back.
   *
   * @param records Of the same accounts, in the same order.
   * @throws {ConfigError} If an encrypted token in the state folder's file can't be decrypted.
   * @throws {Error} If that file can't be read.
   */
  async readBaseline(accounts: readonly Account[], records: readonly RawRecord[]): Promise<TokenBaseline> {
    const successorOf = await this.#rotated.load();
    const baseline: TokenBaseline = new Map();
    accounts.forEach(({ email, refreshToken: original }, index) => {
      if (original === undefined) return;
      const isSealed = isSealedToken(records[index]?.["refresh_token"]);
      baseline.set(email.toLowerCase(), this.#withSuccessor({ original, isSealed }, { email, successorOf }));
    });
    await Promise.all([...baseline].map((entry) => this.#bringUpToDate(entry, baseline)));
    return baseline;
  }

  /** Takes a baseline over. */
  useBaseline(baseline: TokenBaseline): void {
    this.#baseline = baseline;
  }

  /** Notes where a token is on disk. */
  note({ email, stored }: KeptToken): void {
    this.#baseline.set(email.toLowerCase(), stored);
  }

  /** Notes that accounts.json now has this record. */
  noteRecord(email: string, record: RawRecord): void {
    const value = record["refresh_token"];
    if (typeof value !== "string" || value === "") this.#baseline.delete(email.toLowerCase());
    else this.note({ email, stored: { original: this.#open(email, value), isSealed: isSealed(value) } });
  }

  /**
   * Notes that accounts.json is about to lose this account, so that a rotation doesn't bring its grant back to disk.
   *
   * @returns What to call if the account has stayed.
   */
  noteRemoval(email: string): () => void {
    const key = email.toLowerCase();
    const stored = this.#baseline.get(key);
    this.#baseline.delete(key);
    return () => {
      if (stored !== undefined) this.#baseline.set(key, stored);
    };
  }

  /** Gives what is known of an account's tokens to its new e-mail. */
  async rename(from: string, to: string): Promise<void> {
    this.#lineage.move(from, to);
    await this.forget(from);
  }

  /** Forgets what is known of an account's tokens, on disk too, accounts.json apart. */
  async forget(email: string): Promise<void> {
    this.#lineage.forget(email);
    try {
      await this.#rotated.remove(email);
    } catch (error) {
      this.#options.log.warning("Cannot remove an old refresh token from {path}: {cause}", {
        path: this.#rotated.path,
        cause: messageOf(error),
      });
    }
  }

  /** The newest token that descends from the given one, as far as this process or the state folder knows. */
  newest(email: string, refreshToken: string, baseline: TokenBaseline = this.#baseline): string {
    const stored = baseline.get(email.toLowerCase());
    const isOriginal = stored?.original === refreshToken;
    return this.#lineage.newest(email, isOriginal ? tokenOf(stored) : refreshToken);
  }

  /**
   * Looks on disk for the token that another process has put in place of the given one.
   *
   * @returns What is to be noted now.
   * @throws {Error} If a file can't be read.
   */
  async findSuccessor(email: string, refreshToken: string): Promise<KeptToken | undefined> {
    const value = await this.#options.accountsFile.look((document) =>
      document.find(email)?.["refresh_token"]
    );
    if (typeof value !== "string" || value === "") return undefined;
    const original = { original: this.#open(email, value), isSealed: isSealed(value) };
    const stored = this.#withSuccessor(original, { email, successorOf: await this.#rotated.load() });
    const newest = this.#lineage.newest(email, tokenOf(stored));
    if (newest === refreshToken) return undefined;
    // What is on disk may be an ancestor of what this process knows.
    if (newest === tokenOf(stored)) {
      this.#lineage.succeed(email, { replaces: refreshToken, refreshToken: newest });
    }
    return { email, stored };
  }

  /** A record with the newest token in place of an older one, in the form that this has. */
  renew(record: RawRecord, email: string): RawRecord {
    const value = record["refresh_token"];
    if (typeof value !== "string" || value === "") return record;
    const holder = String(record["email"]);
    const refreshToken = this.#open(holder, value);
    const newest = this.newest(email, refreshToken);
    if (newest === refreshToken) return record;
    return { ...record, refresh_token: this.#inForm(newest, { isSealed: isSealed(value), email: holder }) };
  }

  /**
   * Puts a rotated token on disk. A grant that was entered in accounts.json meanwhile is left alone; for an account
   * that has gone from it, the token is kept in the state folder, since the file may be half written.
   *
   * @returns What is to be noted now, and not before: the state folder's tokens descend from what accounts.json really
   * has. Nothing if the token isn't wanted any more.
   * @throws {Error} If neither file can be written, or the token looks like an encrypted one and there is no key.
   */
  async rotate(email: string, rotation: Rotation): Promise<KeptToken | undefined> {
    const key = email.toLowerCase();
    this.#lineage.succeed(email, rotation);
    const kept = await this.#keep({ email, ...rotation }, this.#baseline.get(key));
    if (kept === undefined) {
      if (!this.#baseline.has(key)) this.#lineage.forget(email);
      return undefined;
    }
    if (kept.email.toLowerCase() !== key) this.#lineage.move(email, kept.email);
    return kept;
  }

  /**
   * Encrypts or decrypts the tokens in the state folder.
   *
   * @throws {Error} If there is no key, one can't be decrypted, or the file can't be written.
   */
  async convert(form: "encrypted" | "clear"): Promise<void> {
    await this.#rotated.convert((email, value) =>
      isSealed(value) === (form === "encrypted")
        ? value
        : this.#inForm(this.#open(email, value), { isSealed: form === "encrypted", email })
    );
  }

  /** Resolves when nothing is being written any more. */
  settled(): Promise<void> {
    return this.#rotated.settled();
  }

  async #keep(rotation: RotationOf, stored: StoredToken | undefined): Promise<KeptToken | undefined> {
    let kept: KeptToken | undefined;
    try {
      await this.#options.accountsFile.edit((document) => {
        kept = this.#replace(document, rotation);
      });
      return kept;
    } catch (error) {
      if (stored === undefined) throw error;
      return await this.#keepInState(error, { ...rotation, stored });
    }
  }

  /** @returns What the record then has, if it was changed. */
  #replace(document: AccountsDocument, rotation: RotationOf): KeptToken | undefined {
    const { email, refreshToken } = rotation;
    const record = document.find(email) ?? this.#renamedRecord(document, rotation);
    const value = record?.["refresh_token"];
    if (record === undefined || typeof value !== "string") {
      if (!this.#baseline.has(email.toLowerCase())) return undefined;
      throw new Error("it does not have the account's refresh token now");
    }
    const holder = String(record["email"]);
    if (this.newest(email, this.#open(holder, value)) !== refreshToken) return undefined;
    const form = { isSealed: isSealed(value), email: holder };
    record["refresh_token"] = this.#inForm(refreshToken, form);
    return { email: holder, stored: { original: refreshToken, isSealed: form.isSealed } };
  }

  /** The account may have another e-mail by now: its token tells which. */
  #renamedRecord({ records }: AccountsDocument, { replaces }: Rotation): RawRecord | undefined {
    return records.find((record) => {
      const value = record["refresh_token"];
      return typeof value === "string" && value !== "" &&
        this.#open(String(record["email"]), value) === replaces;
    });
  }

  async #keepInState(
    cause: unknown,
    { email, refreshToken, stored }: RotationOf & { readonly stored: StoredToken },
  ): Promise<KeptToken> {
    const form = { isSealed: stored.isSealed, email };
    const rotated = { refreshToken: this.#inForm(refreshToken, form), original: stored.original };
    if (!this.#saidReadOnly) {
      this.#saidReadOnly = true;
      this.#options.log.warning("Cannot write {file} ({cause}): rotated refresh tokens go to {path}", {
        file: this.#options.accountsFile.path,
        cause: messageOf(cause),
        path: this.#rotated.path,
      });
    }
    await this.#rotated.put(email, rotated);
    return { email, stored: { ...stored, successor: refreshToken } };
  }

  /** An old token in the file would be all that the next start finds. */
  async #bringUpToDate([email, stored]: [string, StoredToken], baseline: TokenBaseline): Promise<void> {
    const replaces = tokenOf(stored);
    const refreshToken = this.#lineage.newest(email, replaces);
    if (refreshToken === replaces) return;
    try {
      const kept = await this.#keep({ email, refreshToken, replaces }, stored);
      if (kept !== undefined) baseline.set(kept.email.toLowerCase(), kept.stored);
    } catch (error) {
      this.#options.log.error("The newest refresh token of {account} is not on disk: {cause}", {
        account: email,
        cause: messageOf(error),
      });
    }
  }

  #withSuccessor(
    stored: StoredToken,
    { email, successorOf }: { readonly email: string; readonly successorOf: SuccessorOf },
  ): StoredToken {
    const rotated = successorOf(email, stored.original);
    return rotated === undefined ? stored : { ...stored, successor: this.#openRotated(email, rotated) };
  }

  #openRotated(email: string, value: string): string {
    try {
      return this.#open(email, value);
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      const finding = {
        file: this.#rotated.path,
        path: `tokens["${email.toLowerCase()}"].refresh_token`,
        message: `can't be used: ${cause.message}`,
        hint:
          "give the accounts key that it was encrypted with, or remove the entry and authorize the account again",
      };
      throw new ConfigError([finding], { cause });
    }
  }

  #open(email: string, value: string): string {
    return openSecret(value, { box: this.#options.secretBox, email, key: "refresh_token" });
  }

  #inForm(refreshToken: string, form: { readonly isSealed: boolean; readonly email: string }): string {
    const { secretBox } = this.#options;
    // In clear it would be taken for an encrypted one, and the whole file could no longer be read.
    const looksSealed = isSealed(refreshToken);
    if ((form.isSealed || looksSealed) && secretBox !== undefined) {
      return secretBox.seal(refreshToken, secretContext(form.email, "refresh_token"));
    }
    if (looksSealed) {
      throw new Error("Cannot keep a refresh token that looks encrypted: there is no accounts key");
    }
    return refreshToken;
  }
}

/** What counts of a token on disk. */
function tokenOf({ original, successor }: StoredToken): string {
  return successor ?? original;
}

function isSealedToken(value: unknown): boolean {
  return typeof value === "string" && isSealed(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
