/** Rotated refresh tokens beside an accounts file that can't be written: `refresh_tokens.json` in the state folder. */

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { z } from "zod";
import { SharedFile } from "./shared_file.ts";

const entrySchema = z.object({
  /** Digest of the token in accounts.json that the rotated one descends from. */
  original: z.string(),
  refresh_token: z.string(),
});

const documentSchema = z.object({ tokens: z.record(z.string(), entrySchema) });

type Document = z.infer<typeof documentSchema>;

/** A token and the one in accounts.json that it takes the place of. */
export interface RotatedToken {
  /** As it stands in the file: encrypted where the original is. */
  readonly refreshToken: string;
  /** In clear. */
  readonly original: string;
}

/** Looks a token up by e-mail and the token that accounts.json has. */
export type SuccessorOf = (email: string, original: string) => string | undefined;

/** SHA-256 of a token, base64url: tells tokens apart without keeping them. */
export function tokenDigest(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** The state folder's tokens: each wins over the one in accounts.json as long as that is the one it descends from. */
export class RotatedTokens {
  readonly #file: SharedFile<Document>;

  constructor(stateDirectory: string) {
    this.#file = new SharedFile({
      path: join(stateDirectory, "refresh_tokens.json"),
      parse: parseDocument,
      serialize: (document) => `${JSON.stringify(document, undefined, 2)}\n`,
    });
  }

  /** Where the tokens are kept. */
  get path(): string {
    return this.#file.path;
  }

  /**
   * Reads the tokens that take the place of others.
   *
   * @throws {Error} If there is a file and it can't be read.
   */
  async load(): Promise<SuccessorOf> {
    const { tokens } = await this.#file.read();
    return (email, original) => {
      const entry = tokens[email.toLowerCase()];
      return entry?.original === tokenDigest(original) ? entry.refresh_token : undefined;
    };
  }

  /** Keeps a token; resolves when it is on disk. Makes the state folder, for this user alone, if it isn't there. */
  async put(email: string, { refreshToken, original }: RotatedToken): Promise<void> {
    await Deno.mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    await this.#file.edit(({ tokens }) => {
      tokens[email.toLowerCase()] = { original: tokenDigest(original), refresh_token: refreshToken };
    });
  }

  /** Forgets an account's token; resolves when it is gone from disk. */
  async remove(email: string): Promise<void> {
    if (!await this.#file.exists()) return;
    await this.#file.edit(({ tokens }) => {
      delete tokens[email.toLowerCase()];
    });
  }

  /** Gives every token another form, encrypted or in clear. */
  async convert(convert: (email: string, refreshToken: string) => string): Promise<void> {
    if (!await this.#file.exists()) return;
    await this.#file.edit(({ tokens }) => {
      const converted = Object.entries(tokens).map(([email, entry]) =>
        [email, { ...entry, refresh_token: convert(email, entry.refresh_token) }] as const
      );
      Object.assign(tokens, Object.fromEntries(converted));
    });
  }

  /** Resolves when nothing is being written any more. */
  settled(): Promise<void> {
    return this.#file.settled();
  }
}

function parseDocument(text: string | undefined): Document {
  if (text === undefined) return { tokens: {} };
  try {
    return documentSchema.parse(JSON.parse(text));
  } catch (error) {
    // Neither the text nor zod's account of it goes into the error: both may quote tokens.
    if (error instanceof SyntaxError || error instanceof z.ZodError) {
      throw new Error("Cannot read the rotated refresh tokens: refresh_tokens.json is damaged");
    }
    throw error;
  }
}
