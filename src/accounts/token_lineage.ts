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
  readonly #descents = new Map<string, Descent>();

  /** Notes that an account's token was replaced by another. */
  succeed(
    email: string,
    { replaces, refreshToken }: { readonly replaces: string; readonly refreshToken: string },
  ) {
    const ancestors = this.#descents.get(email.toLowerCase())?.ancestors ?? [];
    const digest = tokenDigest(replaces);
    const others = ancestors.filter((ancestor) => ancestor !== digest);
    this.#descents.set(email.toLowerCase(), {
      ancestors: [...others, digest].slice(-keptAncestors),
      newest: refreshToken,
    });
  }

  /** The newest token that descends from the given one: itself, if it was never replaced. */
  newest(email: string, refreshToken: string): string {
    const descent = this.#descents.get(email.toLowerCase());
    return descent?.ancestors.includes(tokenDigest(refreshToken)) ? descent.newest : refreshToken;
  }

  /** Gives what is known of an account's tokens to its new e-mail. */
  move(from: string, to: string): void {
    const descent = this.#descents.get(from.toLowerCase());
    if (descent === undefined) return;
    this.#descents.delete(from.toLowerCase());
    this.#descents.set(to.toLowerCase(), descent);
  }

  /** Forgets an account's tokens. */
  forget(email: string): void {
    this.#descents.delete(email.toLowerCase());
  }
}
