import type { ProviderSettings } from "../config/settings.ts";
import type { Fetch } from "./token_request.ts";

interface TrustingClient {
  /** PEM; empty: none beside the built-in ones. */
  readonly authority: string;
  readonly client: Deno.HttpClient;
}

/** HTTP connections to token endpoints, kept between requests; one set for each file with additional authorities. */
export class EndpointClient {
  readonly #clients = new Map<string, TrustingClient>();
  #closed = false;

  /** The fetch for a provider, which trusts the provider's `caFile`, as it is then, beside the built-in authorities. */
  fetchFor(provider: Pick<ProviderSettings, "caFile">): Fetch {
    return async (input, init) =>
      await fetch(input, { ...init, client: await this.#client(provider.caFile ?? "") });
  }

  async #client(caFile: string): Promise<Deno.HttpClient> {
    try {
      const authority = caFile === "" ? "" : await Deno.readTextFile(caFile);
      this.#assertOpen();
      const known = this.#clients.get(caFile);
      if (known?.authority === authority) return known.client;
      const caCerts = authority === "" ? [] : [authority];
      const client = Deno.createHttpClient({ caCerts, poolMaxIdlePerHost: 8 });
      this.#clients.set(caFile, { authority, client });
      // Its requests under way go on to their ends.
      known?.client.close();
      return client;
    } catch (error) {
      this.#assertOpen();
      // The file may be half written at this moment.
      const known = this.#clients.get(caFile);
      if (known) return known.client;
      throw error;
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new DOMException("The client is closed", "AbortError");
  }

  /** Drops all connections that no request uses; no further request begins. */
  close(): Promise<void> {
    this.#closed = true;
    for (const { client } of this.#clients.values()) client.close();
    this.#clients.clear();
    return Promise.resolve();
  }
}
