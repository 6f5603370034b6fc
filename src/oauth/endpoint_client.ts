import type { ProviderSettings } from "../config/settings.ts";
import type { Fetch } from "./token_request.ts";

/** HTTP connections to token endpoints, kept between requests; one set for each file with additional authorities. */
export class EndpointClient {
  readonly #clients = new Map<string, Promise<Deno.HttpClient>>();
  #closed = false;

  /** The fetch for a provider, which trusts the provider's `caFile` beside the built-in authorities. */
  fetchFor(provider: Pick<ProviderSettings, "caFile">): Fetch {
    return async (input, init) =>
      await fetch(input, { ...init, client: await this.#client(provider.caFile ?? "") });
  }

  #client(caFile: string): Promise<Deno.HttpClient> {
    if (this.#closed) throw new DOMException("The client is closed", "AbortError");
    let client = this.#clients.get(caFile);
    if (client === undefined) {
      client = openClient(caFile);
      this.#clients.set(caFile, client);
      // A file that could not be read may be there at the next request.
      client.catch(() => this.#clients.delete(caFile));
    }
    return client;
  }

  /** Drops all connections; requests under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const client of await Promise.allSettled(this.#clients.values())) {
      if (client.status === "fulfilled") client.value.close();
    }
    this.#clients.clear();
  }
}

async function openClient(caFile: string): Promise<Deno.HttpClient> {
  const caCerts = caFile === "" ? [] : [await Deno.readTextFile(caFile)];
  return Deno.createHttpClient({ caCerts, poolMaxIdlePerHost: 8 });
}
