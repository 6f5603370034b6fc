/** Where the browser comes back to when it runs on this machine (RFC 8252 §7.3). */

import { callbackPage } from "../admin/callback_page.ts";
import { abortable } from "../waiting/abortable.ts";
import { listenFailure } from "../transport/listen_failure.ts";
import { CommandFailure } from "./command_failure.ts";

/** A listener on loopback. Disposing it lets the browser's page finish. */
export interface RedirectListener extends AsyncDisposable {
  /** To be registered with the app, but for the port. */
  readonly redirectUri: string;
  /** Resolves with the URL of the first request that has this `state`. @throws The signal's reason. */
  callback(state: string, signal: AbortSignal): Promise<string>;
}

/**
 * Listens on 127.0.0.1.
 *
 * @throws {CommandFailure} If the port can't be had.
 * @param redirectUri Its port is taken; default: http://localhost with a free port.
 */
export function listenForRedirect(redirectUri?: string): RedirectListener {
  const wanted = redirectUri === undefined ? undefined : new URL(redirectUri);
  const port = wanted === undefined ? 0 : Number(wanted.port || 80);
  const waiting = new Map<string, PromiseWithResolvers<string>>();
  const server = serve(port, async ({ url }) => {
    const { searchParams } = new URL(url);
    const waiter = waiting.get(searchParams.get("state") ?? "");
    waiter?.resolve(url);
    const text = waiter === undefined
      ? "This address belongs to no authorization that is under way."
      : "Go back to the terminal: it tells how the authorization ended. You can close this window.";
    const page = await callbackPage({ title: waiter === undefined ? "Not found" : "Received", text });
    return new Response(page.toString(), {
      status: waiter === undefined ? 404 : 200,
      headers: { "content-type": "text/html; charset=utf-8", "referrer-policy": "no-referrer" },
    });
  });
  return {
    redirectUri: redirectUri ?? `http://localhost:${server.addr.port}`,
    callback(state, signal) {
      const waiter = Promise.withResolvers<string>();
      waiting.set(state, waiter);
      return abortable(waiter.promise, signal);
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function serve(
  port: number,
  handler: (request: Request) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  const place = { hostname: "127.0.0.1", port };
  try {
    return Deno.serve({ ...place, onListen: () => {} }, handler);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandFailure(
      `Cannot wait for the browser: ${
        (listenFailure(error, place) as Error).message
      } (give another --redirect-uri, or --manual)`,
      { cause: error },
    );
  }
}
