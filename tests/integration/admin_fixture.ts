/** The admin server in this process, over real HTTP, with a real accounts file and a token endpoint of the test's own. */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { AdminContext } from "../../src/admin/admin_context.ts";
import { type AdminServer, startAdminServer } from "../../src/admin/admin_server.ts";
import { type LocalServices, openLocalServices } from "../../src/cli/local_services.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { ScriptedTokenEndpoint } from "../support/token_endpoint.ts";

/** The bearer token of every fixture. */
export const adminToken = "an-admin-token-of-the-tests";

/** How the server differs from the plain one. */
export interface AdminFixtureOptions {
  /** Contents of accounts.json. */
  readonly accounts?: readonly Readonly<Record<string, unknown>>[];
  /** Settings of the provider `test`, over those that lead to the token endpoint. */
  readonly provider?: Readonly<Record<string, unknown>>;
  readonly admin?: Readonly<Record<string, unknown>>;
  readonly listeners?: readonly Readonly<Record<string, unknown>>[];
  readonly context?: Partial<AdminContext>;
}

/** An answer of the API. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- tests look at whatever came
  readonly body: any;
}

/** What a request has beside method, path and token. */
export interface ApiRequest {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly rawBody?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A running server. */
export class AdminFixture implements AsyncDisposable {
  readonly url: string;
  /** Calls of `accountsChanged`. */
  changes = 0;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    readonly services: LocalServices,
    readonly tokenEndpoint: ScriptedTokenEndpoint,
    readonly server: AdminServer,
    stack: AsyncDisposableStack,
  ) {
    this.url = `http://127.0.0.1:${server.address.port}`;
    this.#stack = stack;
  }

  /** Starts a server on a free port. */
  static async start(options: AdminFixtureOptions = {}): Promise<AdminFixture> {
    await using stack = new AsyncDisposableStack();
    const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-admin-" });
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const tokenEndpoint = stack.use(await ScriptedTokenEndpoint.start());
    const config = {
      admin: options.admin ?? {},
      ...(options.listeners && { listeners: options.listeners }),
      providers: { test: { ...providerOf(tokenEndpoint), ...options.provider } },
    };
    await Deno.writeTextFile(join(directory, "config.json"), JSON.stringify(config));
    const accounts = join(directory, "accounts.json");
    await Deno.writeTextFile(accounts, JSON.stringify(options.accounts ?? []), { mode: 0o600 });
    const env = { XOAUTH2_ADMIN_TOKEN: adminToken, STATE_DIRECTORY: join(directory, "state") };
    const { settings } = await loadSettings({
      options: { config: join(directory, "config.json"), accounts, adminPort: 0 },
      env,
    });
    const services = stack.use(await openLocalServices({ settings, env }));
    const metrics = stack.use(new Metrics({ version: "0" }));
    const { store, tokens, dialer, mailboxes } = services;
    const context: AdminContext = {
      settings: settings.admin,
      stateDirectory: settings.stateDirectory,
      log: getLogger(["tests"]),
      metrics,
      accounts: store,
      tokens,
      dialer,
      withPlace: (_email, work) => work(),
      env,
      now: Date.now,
      state: () => "running",
      status: () => Promise.reject(new Error("unused")),
      reload: () => Promise.resolve({ applied: true, difference: {}, ms: 1 }),
      requestStop: () => true,
      providers: () => settings.providers,
      mailbox: (email) => mailboxes.get(email),
      recentTransactions: () => [],
      ...options.context,
      accountsChanged() {
        fixture.changes++;
        tokens.replace(store.list());
        mailboxes.refresh();
        fixture.server.review();
      },
    };
    const server = await startAdminServer(context);
    stack.defer(() => server.close());
    const fixture = new AdminFixture(services, tokenEndpoint, server, stack.move());
    return fixture;
  }

  /** Makes one call, with the token unless the headers have another. */
  async call(method: string, path: string, { body, rawBody, headers }: ApiRequest = {}): Promise<ApiAnswer> {
    return await callApi(this.url, { method, path, body, rawBody, headers });
  }

  /** The accounts as they stand on disk. */
  // deno-lint-ignore no-explicit-any -- tests look at whatever stands there
  async fileRecords(): Promise<any[]> {
    return JSON.parse(await Deno.readTextFile(this.services.settings.accountsFile));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Makes one call to any server that has the fixtures' token. */
export async function callApi(
  url: string,
  { method, path, body, rawBody, headers = {} }: {
    readonly method: string;
    readonly path: string;
    readonly body?: unknown;
    readonly rawBody?: BodyInit | undefined;
    readonly headers?: Readonly<Record<string, string>> | undefined;
  },
): Promise<ApiAnswer> {
  const content = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await fetch(`${url}${path}`, {
    method,
    redirect: "manual",
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(content !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(content !== undefined && { body: content }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** A body that `POST /admin/accounts` takes. */
export function newAccount(email: string, more: Readonly<Record<string, unknown>> = {}) {
  return { email, provider: "test", client_id: "app", refresh_token: `grant-of-${email}`, ...more };
}

function providerOf({ url }: ScriptedTokenEndpoint) {
  const { origin } = new URL(url);
  return {
    // Nothing listens there: port 9 is discard.
    smtp_endpoint: "127.0.0.1:9",
    smtp_security: "none",
    oauth_token_url: url,
    authorization_url: `${origin}/authorize`,
    device_authorization_url: `${origin}/device`,
    scope: "send offline_access",
  };
}
