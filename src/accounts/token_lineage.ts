import { tokenDigest } from "./rotated_tokens.ts";

interface Descent {
  /** Digests of the tokens that were replaced, oldest first. */
  readonly ancestors: readonly string[];
  readonly newest: string;
}

/** A file may stand open in an editor over a night of rotations. */
const keptAncestors = 32;

/**
 * Which refresh tokens have been replaced by newer ones in this process, so that an old one that comes back, with a
 * file that stood open in an editor meanwhile, is recognized.
 */
export class TokenLineage {
  /** By lower-case e-mail. */
  readonly #descents = new Map<string, Descent>();
  /** By digest of an ancestor, for accounts that were renamed by hand. */
  readonly #holders = new Map<string, string>();

  /** Notes that an account's token was replaced by another. */
  succeed(
    email: string,
    { replaces, refreshToken }: { readonly replaces: string; readonly refreshToken: string },
  ) {
    const digest = tokenDigest(replaces);
    const others = (this.#descents.get(email.toLowerCase())?.ancestors ?? []).filter((it) => it !== digest);
    this.#set(email, { ancestors: [...others, digest].slice(-keptAncestors), newest: refreshToken });
  }

  /**
   * The newest token that descends from the given one: itself, if it was never replaced. It is looked for under other
   * e-mails, too: the account may have been renamed by hand, in a file that was read before a rotation.
   */
  newest(email: string, refreshToken: string): string {
    const digest = tokenDigest(refreshToken);
    return this.#under(email, digest) ?? this.#under(this.#holders.get(digest), digest) ?? refreshToken;
  }

  /** Gives what is known of an account's tokens to its new e-mail. */
  move(from: string, to: string): void {
    const descent = this.#descents.get(from.toLowerCase());
    if (descent === undefined) return;
    this.forget(from);
    this.#set(to, descent);
  }

  /** Forgets an account's tokens. */
  forget(email: string): void {
    const key = email.toLowerCase();
    for (const digest of this.#descents.get(key)?.ancestors ?? []) {
      if (this.#holders.get(digest) === key) this.#holders.delete(digest);
    }
    this.#descents.delete(key);
  }

  #set(email: string, descent: Descent): void {
    const key = email.toLowerCase();
    this.forget(key);
    this.#descents.set(key, descent);
    for (const digest of descent.ancestors) this.#holders.set(digest, key);
  }

  #under(email: string | undefined, digest: string): string | undefined {
    const descent = email === undefined ? undefined : this.#descents.get(email.toLowerCase());
    return descent?.ancestors.includes(digest) ? descent.newest : undefined;
  }
}
