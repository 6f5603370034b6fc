/** The service extensions that a server lists in its EHLO reply (RFC 5321 §4.1.1.1). */

import type { Reply } from "./reply.ts";

/** Keywords in upper case with their parameters. */
export class Extensions {
  readonly #parameters = new Map<string, readonly string[]>();

  /** @param lines The EHLO reply's lines behind the first, each `KEYWORD [parameter …]`. */
  constructor(lines: readonly string[]) {
    for (const line of lines) {
      // "AUTH=LOGIN PLAIN" is how old servers list AUTH beside the standard form.
      const [keyword, ...parameters] = line.trim().replace(/^AUTH=/i, "AUTH ").split(/ +/);
      if (keyword) this.#parameters.set(keyword.toUpperCase(), parameters);
    }
  }

  /** Reads a positive EHLO reply; the first line names the server and is passed over. */
  static of(reply: Reply): Extensions {
    return new Extensions(reply.lines.slice(1));
  }

  has(keyword: string): boolean {
    return this.#parameters.has(keyword);
  }

  get keywords(): string[] {
    return [...this.#parameters.keys()];
  }

  /** The SASL mechanisms behind AUTH, in upper case. */
  get mechanisms(): string[] {
    return (this.#parameters.get("AUTH") ?? []).map((mechanism) => mechanism.toUpperCase());
  }

  /** The greatest message in octets (RFC 1870 §3); absent when the server names none, or 0. */
  get size(): number | undefined {
    const size = Number(this.#parameters.get("SIZE")?.[0] ?? 0);
    return Number.isSafeInteger(size) && size > 0 ? size : undefined;
  }
}
