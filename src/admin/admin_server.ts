/** Serves the admin API over HTTP, on Deno.serve. */

import type { Endpoint } from "../config/settings.ts";
import type { AdminContext } from "./admin_context.ts";
import { type AdminToken, adminTokenFile, findAdminToken, loadAdminToken } from "./admin_token.ts";

/** A running admin server. */
export interface AdminServer {
  readonly address: Endpoint;
  /** Takes no more requests and lets those under way finish; streams end at once. */
  close(): Promise<void>;
}

/** So long a token request has for its answer, which may bring the only refresh token that is still valid. */
const answerMs = 200;
/**
 * After that, what has come is written. A client that doesn't finish its request, or doesn't read its answer, would hold
 * `shutdown` for ever, and after it nothing can be aborted (Deno 2.9.6): what is left then ends with the process.
 */
const unfinishedMs = 50;

/** What the requests are given to. */
interface Api {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  close(): Promise<void>;
}

/**
 * Starts the admin server.
 *
 * @throws {ConfigError} If the token's place can't be used.
 * @throws {Deno.errors.AddrInUse} and the system's other errors.
 */
export async function startAdminServer(context: AdminContext): Promise<AdminServer> {
  const { hostname, port } = context.settings;
  const token = await provideToken(context);
  const closing = new AbortController();
  const givingUp = new AbortController();
  let api: Promise<Api> | undefined;
  const server = Deno.serve({ hostname, port, onListen: () => {} }, async (request) => {
    // Loaded by the first request: mail need not wait for schemas that nobody has asked for yet.
    api ??= openApi(context, {
      token: token.value,
      closing: closing.signal,
      givingUp: givingUp.signal,
    });
    return (await api).fetch(request);
  });
  return {
    address: { hostname, port: server.addr.port },
    async close() {
      const reason = new DOMException("The daemon is stopping", "AbortError");
      closing.abort(reason);
      const finished = server.shutdown();
      await atMost(answerMs, finished);
      givingUp.abort(reason);
      await atMost(unfinishedMs, finished);
      await (await api)?.close();
    },
  };
}

/** Waits for a promise, but not for ever. */
async function atMost(timeoutMs: number, promise: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, timeoutMs);
  await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

/** Mail goes on without a token file; the API is then closed to everybody. */
async function provideToken({ settings, env, stateDirectory, log }: AdminContext): Promise<AdminToken> {
  const sources = { settings, env, stateDirectory };
  const existing = await findAdminToken(sources);
  try {
    const token = existing ?? await loadAdminToken(sources);
    const what = existing ? "is in" : "was made and put into";
    log.info(`The admin token ${what} {place}`, { place: token.place });
    return token;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const place = adminTokenFile(stateDirectory);
    log.error("Cannot write the admin token to {place} ({cause}): nobody can use the admin API", {
      place,
      cause: error.message,
    });
    return { value: crypto.randomUUID() + crypto.randomUUID(), place };
  }
}

async function openApi(
  context: AdminContext,
  { token, closing, givingUp }: {
    readonly token: string;
    readonly closing: AbortSignal;
    readonly givingUp: AbortSignal;
  },
): Promise<Api> {
  const { createAdminApp } = await import("./admin_app.ts");
  const { AccountAdmission } = await import("./account_admission.ts");
  const { Authorizations } = await import("./authorizations.ts");
  const { OwnerLinks } = await import("./page/owner_links.ts");
  const authorizations = new Authorizations({ ...context, closing: givingUp });
  const links = new OwnerLinks({ now: context.now, accounts: context.accounts });
  const reviewing = {
    ...context,
    accountsChanged() {
      context.accountsChanged();
      authorizations.review();
      links.review();
    },
  };
  const admission = new AccountAdmission(context, givingUp);
  const services = { context: reviewing, admission, authorizations, links, closing, givingUp };
  const app = createAdminApp(services, { token });
  return { fetch: (request) => app.fetch(request), close: () => authorizations.close() };
}
