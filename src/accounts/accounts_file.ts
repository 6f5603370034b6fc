import { ConfigError } from "../config/config_error.ts";
import { parseJson } from "../config/parse_json.ts";

/** An account as it stands in the file, unknown keys included. */
export type RawRecord = Record<string, unknown>;

/** accounts.json in memory: its records, and the object around them where there is one. */
export class AccountsDocument {
  readonly #records: RawRecord[];
  readonly #outer: RawRecord | undefined;
  /** Places of the records by lower-case e-mail, made at the first search. */
  #places: Map<string, number> | undefined;
  /** Lower-case e-mails by the lower-case names that clients sign in with, made at the first search. */
  #holders: Map<string, string> | undefined;

  /** `outer` has everything beside the accounts; nothing if the file is a bare array. */
  constructor(records: RawRecord[], outer?: RawRecord) {
    this.#records = records;
    this.#outer = outer;
  }

  /** All records, in order. A record may be changed in place, except its e-mail and user name. */
  get records(): readonly RawRecord[] {
    return this.#records;
  }

  /** The record of a mailbox. */
  find(email: string): RawRecord | undefined {
    const place = this.#placeOf(email);
    return place === undefined ? undefined : this.#records[place];
  }

  /** The lower-case e-mail of the record that clients sign in to with a name. */
  holderOf(username: string): string | undefined {
    this.#holders ??= new Map(
      this.#records.map((record) => {
        const email = String(record["email"]).toLowerCase();
        return [String(record["username"] || email).toLowerCase(), email];
      }),
    );
    return this.#holders.get(username.toLowerCase());
  }

  /** Puts a record into the place of the one that `email` has, or behind all others. */
  put(email: string, record: RawRecord): void {
    this.#records[this.#placeOf(email) ?? this.#records.length] = record;
    this.#forgetPlaces();
  }

  /** Removes the record of a mailbox; tells whether there was one. */
  remove(email: string): boolean {
    const place = this.#placeOf(email);
    if (place === undefined) return false;
    this.#records.splice(place, 1);
    this.#forgetPlaces();
    return true;
  }

  /** JSON path of a record. */
  pathOf(index: number): string {
    return `${this.#outer === undefined ? "" : "accounts"}[${index}]`;
  }

  /** The text of the file, in the form that it had. */
  serialize(): string {
    const value = this.#outer === undefined ? this.#records : { ...this.#outer, accounts: this.#records };
    return `${JSON.stringify(value, undefined, 2)}\n`;
  }

  #forgetPlaces(): void {
    this.#places = undefined;
    this.#holders = undefined;
  }

  #placeOf(email: string): number | undefined {
    this.#places ??= new Map(
      this.#records.map((record, index) => [String(record["email"]).toLowerCase(), index]),
    );
    return this.#places.get(email.toLowerCase());
  }
}

/**
 * Reads accounts.json: an array, or `{"accounts": [...]}`. No file, or an empty one, has no accounts.
 *
 * @throws {ConfigError} If the text is of another form.
 */
export function parseAccountsDocument(text: string | undefined, file: string): AccountsDocument {
  if (text === undefined || text.trim() === "") return new AccountsDocument([], {});
  const parsed = parseJson(text, file);
  if ("finding" in parsed) throw new ConfigError([parsed.finding]);
  const { value } = parsed;
  if (Array.isArray(value)) return new AccountsDocument(requireObjects(value, { file, path: "" }));
  if (isObject(value) && Array.isArray(value["accounts"])) {
    return new AccountsDocument(requireObjects(value["accounts"], { file, path: "accounts" }), value);
  }
  throw new ConfigError([{
    file,
    path: "",
    message: "holds no accounts",
    hint: 'it should be an array, or {"accounts": [...]}',
  }]);
}

function requireObjects(values: unknown[], { file, path }: { file: string; path: string }): RawRecord[] {
  const findings = values.flatMap((value, index) =>
    isObject(value) ? [] : [{
      file,
      path: `${path}[${index}]`,
      message: "must be an object",
      hint: "one object for each account",
    }]
  );
  if (findings.length > 0) throw new ConfigError(findings);
  return values as RawRecord[];
}

function isObject(value: unknown): value is RawRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
