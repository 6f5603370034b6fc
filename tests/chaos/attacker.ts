/** A raw connection of somebody who doesn't mean well: writes whatever, reads or doesn't. */

import type { Endpoint } from "../../src/config/settings.ts";
import { nextTurn } from "../../src/waiting/next_turn.ts";

/** One connection. Dispose it to drop it. */
export class Attacker implements Disposable {
  readonly #connection: Deno.TcpConn;
  #received = "";

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects. */
  static async connect({ hostname, port }: Endpoint): Promise<Attacker> {
    return new Attacker(await Deno.connect({ hostname, port }));
  }

  /** Opens many at once. */
  static async connectAll(endpoint: Endpoint, count: number): Promise<Attackers> {
    return new Attackers(await Promise.all(Array.from({ length: count }, () => Attacker.connect(endpoint))));
  }

  /** What was read so far. */
  get received(): string {
    return this.#received;
  }

  /** Writes all of it. @returns Whether the daemon still took it. */
  async write(octets: string | Uint8Array): Promise<boolean> {
    const bytes = typeof octets === "string" ? new TextEncoder().encode(octets) : octets;
    try {
      for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
      // The others are in this process too: what they wait for is to be the daemon, not their attacker.
      await nextTurn();
      return true;
    } catch (error) {
      if (isEnd(error)) return false;
      throw error;
    }
  }

  /** Reads once. @returns Whether there was anything. */
  async read(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    try {
      const octets = await this.#connection.read(chunk);
      if (octets === null) return false;
      this.#received += new TextDecoder("latin1").decode(chunk.subarray(0, octets));
      return true;
    } catch (error) {
      if (isEnd(error)) return false;
      throw error;
    }
  }

  /** Reads until `pattern` has come. @returns Whether it has. */
  async readUntil(pattern: RegExp): Promise<boolean> {
    while (!pattern.test(this.#received)) if (!await this.read()) return false;
    return true;
  }

  /** Reads to the connection's end. @returns All that was read. */
  async readToEnd(): Promise<string> {
    while (await this.read());
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}

/** Many of them. */
export class Attackers implements Disposable {
  readonly all: readonly Attacker[];

  constructor(all: readonly Attacker[]) {
    this.all = all;
  }

  /** Does the same with each at once. */
  async each<T>(run: (attacker: Attacker, index: number) => Promise<T>): Promise<T[]> {
    return await Promise.all(this.all.map(run));
  }

  [Symbol.dispose](): void {
    for (const attacker of this.all) attacker[Symbol.dispose]();
  }
}

function isEnd(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}
