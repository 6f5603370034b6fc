import type { Logger } from "@logtape/logtape";
import { ConfigError } from "../config/config_error.ts";
import type { Account } from "./account.ts";
import type { AccountsDocument, RawRecord } from "./accounts_file.ts";
import { openSecret, secretContext } from "./record_secrets.ts";
import { RotatedTokens } from "./rotated_tokens.ts";
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

interface Original {
  /** In clear. */
  readonly refreshToken: string;
  readonly isSealed: boolean;
}

/** The refresh tokens on disk at one load: those of accounts.json, and their successors in the state folder. */
export interface TokenBaseline {
  readonly originals: Map<string, Original>;
  readonly successors: ReadonlyMap<string, string>;
}

/** Keeps rotated refresh tokens: in accounts.json, or in the state folder while that can't be written. */
export class RefreshTokenKeeper {
  readonly #options: RefreshTokenKeeperOptions;
  readonly #rotated: RotatedTokens;
  readonly #lineage = new TokenLineage();
  #baseline: TokenBaseline = { originals: new Map(), successors: new Map() };
  #saidReadOnly = false;

  constructor(options: RefreshTokenKeeperOptions) {
    this.#options = options;
    this.#rotated = new RotatedTokens(options.stateDirectory);
  }

  /**
   * Finds the newest tokens of accounts that were just read.
   *
   * @param records Of the same accounts, in the same order.
   * @throws {ConfigError} If an encrypted token in the state folder's file can't be decrypted.
   * @throws {Error} If that file can't be read.
   */
  async readBaseline(accounts: readonly Account[], records: readonly RawRecord[]): Promise<TokenBaseline> {
    const successor = await this.#rotated.load();
    const baseline = { originals: new Map<string, Original>(), successors: new Map<string, string>() };
    accounts.forEach(({ email, refreshToken }, index) => {
      if (refreshToken === undefined) return;
      const key = email.toLowerCase();
      baseline.originals.set(key, { refreshToken, isSealed: hasSealedToken(records[index]) });
      const rotated = successor(email, refreshToken);
      if (rotated !== undefined) baseline.successors.set(key, this.#openRotated(email, rotated));
    });
    return baseline;
  }

  /** Takes a baseline over. */
  useBaseline(baseline: TokenBaseline): void {
    this.#baseline = baseline;
  }

  /** Notes that accounts.json now has this record. */
  noteRecord({ email, refreshToken }: Account, record: RawRecord): void {
    if (refreshToken === undefined) this.#baseline.originals.delete(email.toLowerCase());
    else {this.#baseline.originals.set(email.toLowerCase(), {
        refreshToken,
        isSealed: hasSealedToken(record),
      });}
  }

  /** Notes that accounts.json no longer has this account. */
  noteRemoval(email: string): void {
    this.#baseline.originals.delete(email.toLowerCase());
  }

  /** The newest token that descends from the given one, as far as this process or the state folder knows. */
  newest(email: string, refreshToken: string, baseline: TokenBaseline = this.#baseline): string {
    const key = email.toLowerCase();
    const isOriginal = baseline.originals.get(key)?.refreshToken === refreshToken;
    const stored = isOriginal ? baseline.successors.get(key) ?? refreshToken : refreshToken;
    return this.#lineage.newest(email, stored);
  }

  /**
   * Puts a rotated token on disk. A grant that was entered in accounts.json meanwhile is left alone; for an account
   * that has gone from it, the token is kept in the state folder, since the file may be half written.
   *
   * @throws {Error} If neither file can be written, or the token looks like an encrypted one and there is no key.
   */
  async rotate(email: string, rotation: Rotation): Promise<void> {
    this.#lineage.succeed(email, rotation);
    let original: Original | undefined;
    try {
      await this.#options.accountsFile.edit((document) => {
        original = this.#replace(document, { email, ...rotation });
      });
    } catch (error) {
      return await this.#keepInState(error, { email, ...rotation });
    }
    // Not before it is on disk: the state folder's tokens descend from what accounts.json really has.
    if (original !== undefined) this.#baseline.originals.set(email.toLowerCase(), original);
  }

  /** Resolves when nothing is being written any more. */
  settled(): Promise<void> {
    return this.#rotated.settled();
  }

  /** @returns What the record then has, if it was changed. */
  #replace(
    document: AccountsDocument,
    { email, refreshToken }: Rotation & { readonly email: string },
  ): Original | undefined {
    const record = document.find(email);
    const value = record?.["refresh_token"];
    if (record === undefined || typeof value !== "string") {
      if (!this.#baseline.originals.has(email.toLowerCase())) return undefined;
      throw new Error("it does not have the account's refresh token now");
    }
    if (this.newest(email, this.#open(email, value)) !== refreshToken) return undefined;
    const form = { isSealed: isSealed(value), email };
    record["refresh_token"] = this.#inForm(refreshToken, form);
    return { refreshToken, isSealed: form.isSealed };
  }

  async #keepInState(
    cause: unknown,
    { email, refreshToken }: Rotation & { readonly email: string },
  ): Promise<void> {
    const original = this.#baseline.originals.get(email.toLowerCase());
    if (original === undefined) throw cause;
    const form = { isSealed: original.isSealed, email };
    const rotated = { refreshToken: this.#inForm(refreshToken, form), original: original.refreshToken };
    if (!this.#saidReadOnly) {
      this.#saidReadOnly = true;
      this.#options.log.warning("Cannot write {file} ({cause}): rotated refresh tokens go to {path}", {
        file: this.#options.accountsFile.path,
        cause: cause instanceof Error ? cause.message : String(cause),
        path: this.#rotated.path,
      });
    }
    await this.#rotated.put(email, rotated);
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

function hasSealedToken(record: RawRecord | undefined): boolean {
  const value = record?.["refresh_token"];
  return typeof value === "string" && isSealed(value);
}
