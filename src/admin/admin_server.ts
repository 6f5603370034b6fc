/** Serves the admin API over HTTP. */

import { checkFileMode } from "../accounts/check_file_mode.ts";
import { formatFinding } from "../config/config_error.ts";
import type { Endpoint } from "../config/settings.ts";
import type { AdminContext } from "./admin_context.ts";
import { type AdminToken, adminTokenFile, findAdminToken, loadAdminToken } from "./admin_token.ts";
import { atMost } from "../waiting/at_most.ts";
import { LastingServer } from "./lasting_server.ts";

/** A running admin server. */
export interface AdminServer {
  readonly address: Endpoint;
  /** Ends what belongs to accounts that are gone; to be called after each change of the accounts. */
  review(): void;
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
  review(): void;
  close(): Promise<void>;
}

/**
 * Starts the admin server.
 *
 * @throws {ConfigError} If the token's place can't be used.
 * @throws {Deno.errors.AddrInUse} and the system's other errors.
 */
export async function startAdminServer(context: AdminContext): Promise<AdminServer> {
  const token = await provideToken(context);
  const closing = new AbortController();
  const givingUp = new AbortController();
  const options = { token: token.value, closing: closing.signal, givingUp: givingUp.signal };
  let api: Api | undefined;
  let opening: Promise<Api> | undefined;
  const server = new LastingServer(context.settings, {
    async fetch(request) {
      try {
        // Loaded by the first request: mail need not wait for schemas that nobody has asked for yet.
        api ??= await (opening ??= openApi(context, options));
      } catch (error) {
        opening = undefined;
        // Its files can't be read, for lack of descriptors as a rule: the next request tries again.
        context.log.error(
          "The admin API can't be loaded: {error}. The next request tries again; if it lasts, raise the limit of open files (LimitNOFILE, ulimit -n)",
          { error: String(error) },
        );
        return new Response("The admin API can't be loaded now, see the log\n", { status: 503 });
      }
      return await api.fetch(request);
    },
    onFailure: reporter(context),
  });
  return {
    address: server.address,
    review: () => api?.review(),
    async close() {
      const reason = new DOMException("The daemon is stopping", "AbortError");
      closing.abort(reason);
      const finished = server.shutdown();
      await atMost(answerMs, finished);
      givingUp.abort(reason);
      await atMost(unfinishedMs, finished);
      await api?.close();
    },
  };
}

/** Once a minute: it may fail several times a second for as long as it lasts. */
function reporter({ settings: { hostname, port }, log, now }: AdminContext): (error: Error) => void {
  let toldAtMs = -Infinity;
  return (error) => {
    if (now() - toldAtMs < 60_000) return;
    toldAtMs = now();
    log.error(
      "The admin API can take no connection at {place}: {error}. It tries again. If it lasts, raise the limit of open files (LimitNOFILE, ulimit -n) or lower max_sessions",
      { place: `${hostname}:${port}`, error: error.message },
    );
  };
}

/** Mail goes on without a token file; the API is then closed to everybody. */
async function provideToken({ settings, env, stateDirectory, log }: AdminContext): Promise<AdminToken> {
  const sources = { settings, env, stateDirectory };
  const existing = await findAdminToken(sources);
  try {
    const token = existing ?? await loadAdminToken(sources);
    const what = existing ? "is in" : "was made and put into";
    log.info(`The admin token ${what} {place}`, { place: token.place });
    for (const finding of token.isFile ? await checkFileMode(token.place) : []) {
      log.warn(formatFinding(finding));
    }
    return token;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const place = adminTokenFile(stateDirectory);
    log.error("Cannot write the admin token to {place} ({cause}): nobody can use the admin API", {
      place,
      cause: error.message,
    });
    return { value: crypto.randomUUID() + crypto.randomUUID(), place, isFile: false };
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
  const admission = new AccountAdmission(context, givingUp);
  const services = { context, admission, authorizations, links, closing, givingUp };
  const app = createAdminApp(services, { token });
  return {
    fetch: (request) => app.fetch(request),
    review() {
      authorizations.review();
      links.review();
    },
    close: () => authorizations.close(),
  };
}
