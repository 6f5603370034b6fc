/**
 * An HTTP server that lasts. Deno's own (2.9.6) ends for good when the system gives it no connection, as it does when
 * descriptors run out.
 */

import type { Endpoint } from "../config/settings.ts";
import { delay } from "../waiting/delay.ts";

/** How the server is opened. */
export interface LastingServerOptions {
  readonly fetch: (request: Request) => Promise<Response>;
  /** Told each time that the server ended by itself or couldn't be opened again. */
  readonly onFailure: (error: Error) => void;
}

/** Between the end of a server and the next try to open one. */
const RETRY_MS = 100;

/** Serves until it is shut down. */
export class LastingServer {
  /** Where it listens: the port is chosen by now. */
  readonly address: Endpoint;
  readonly #options: LastingServerOptions;
  readonly #closing = new AbortController();
  readonly #lasting: Promise<void>;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;

  /** @throws {Deno.errors.AddrInUse} and the system's other errors. */
  constructor({ hostname, port }: Endpoint, options: LastingServerOptions) {
    this.#options = options;
    const first = serve({ hostname, port }, options);
    this.address = { hostname, port: first.addr.port };
    this.#lasting = this.#last(first);
  }

  /** Takes no more requests; resolves when those under way are over. */
  async shutdown(): Promise<void> {
    this.#closing.abort();
    await this.#server?.shutdown();
    await this.#lasting;
  }

  async #last(first: Deno.HttpServer<Deno.NetAddr>): Promise<void> {
    this.#server = first;
    while (!this.#closing.signal.aborted) {
      try {
        this.#server ??= serve(this.address, this.#options);
        await this.#server.finished;
        if (!this.#closing.signal.aborted) throw new Error("the server ended by itself");
      } catch (error) {
        this.#server = undefined;
        this.#options.onFailure(error as Error);
        // Rejects at a shutdown, which ends the loop.
        await delay(RETRY_MS, this.#closing.signal).catch(() => {});
      }
    }
  }
}

function serve({ hostname, port }: Endpoint, { fetch }: LastingServerOptions): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname, port, onListen: () => {} }, fetch);
}
