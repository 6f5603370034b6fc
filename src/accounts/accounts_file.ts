import { ConfigError } from "../config/config_error.ts";
import { parseJson } from "../config/parse_json.ts";

/** An account as it stands in the file, unknown keys included. */
export type RawRecord = Record<string, unknown>;

/** What records are looked up by. */
interface Lookup {
  /** Places of the records by lower-case e-mail. */
  readonly places: Map<string, number>;
  /** Lower-case e-mails by the lower-case names that clients sign in with. */
  readonly holders: Map<string, string>;
}

/** accounts.json in memory: its records, and the object around them where there is one. */
export class AccountsDocument {
  /** With gaps where records were removed, so that the others keep their places. */
  readonly #records: (RawRecord | undefined)[];
  readonly #outer: RawRecord | undefined;
  /** Made at the first search. */
  #lookup: Lookup | undefined;

  /** `outer` has everything beside the accounts; nothing if the file is a bare array. */
  constructor(records: RawRecord[], outer?: RawRecord) {
    this.#records = records;
    this.#outer = outer;
  }

  /** All records, in order. A record may be changed in place, except its e-mail and user name. */
  get records(): readonly RawRecord[] {
    return this.#records.filter((record) => record !== undefined);
  }

  /** The record of a mailbox. */
  find(email: string): RawRecord | undefined {
    const place = this.#index.places.get(email.toLowerCase());
    return place === undefined ? undefined : this.#records[place];
  }

  /** The lower-case e-mail of the record that clients sign in to with a name. */
  holderOf(username: string): string | undefined {
    return this.#index.holders.get(username.toLowerCase());
  }

  /** Puts a record into the place of the one that `email` has, or behind all others. */
  put(email: string, record: RawRecord): void {
    const place = this.#release(email) ?? this.#records.length;
    this.#records[place] = record;
    enter(this.#index, { record, place });
  }

  /** Removes the record of a mailbox; tells whether there was one. */
  remove(email: string): boolean {
    const place = this.#release(email);
    if (place === undefined) return false;
    this.#records[place] = undefined;
    return true;
  }

  /** JSON path of a record, as long as none was removed. */
  pathOf(index: number): string {
    return `${this.#outer === undefined ? "" : "accounts"}[${index}]`;
  }

  /** The text of the file, in the form that it had. */
  serialize(): string {
    const { records } = this;
    const value = this.#outer === undefined ? records : { ...this.#outer, accounts: records };
    return `${JSON.stringify(value, undefined, 2)}\n`;
  }

  get #index(): Lookup {
    if (this.#lookup === undefined) {
      const lookup = { places: new Map(), holders: new Map() };
      this.#records.forEach((record, place) => record && enter(lookup, { record, place }));
      this.#lookup = lookup;
    }
    return this.#lookup;
  }

  /** Takes a record out of the lookup; tells its place. */
  #release(email: string): number | undefined {
    const { places, holders } = this.#index;
    const place = places.get(email.toLowerCase());
    const record = place === undefined ? undefined : this.#records[place];
    if (record === undefined) return undefined;
    const names = namesOf(record);
    places.delete(names.email);
    if (holders.get(names.username) === names.email) holders.delete(names.username);
    return place;
  }
}

function enter({ places, holders }: Lookup, { record, place }: { record: RawRecord; place: number }): void {
  const { email, username } = namesOf(record);
  places.set(email, place);
  holders.set(username, email);
}

function namesOf(record: RawRecord): { readonly email: string; readonly username: string } {
  const email = String(record["email"]).toLowerCase();
  return { email, username: String(record["username"] || email).toLowerCase() };
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
