/** Serves the admin API over HTTP, on Deno.serve. */

import type { Endpoint } from "../config/settings.ts";
import type { AdminContext } from "./admin_context.ts";

/** A running admin server. */
export interface AdminServer {
  readonly address: Endpoint;
  /** Takes no more requests and lets those under way finish; streams end at once. */
  close(): Promise<void>;
}

/**
 * Starts the admin server.
 *
 * @throws {Deno.errors.AddrInUse} and the system's other errors.
 */
export function startAdminServer(context: AdminContext): Promise<AdminServer> {
  const { hostname, port } = context.settings;
  const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => handle(request, context));
  return Promise.resolve({
    address: { hostname, port: server.addr.port },
    close: () => server.shutdown(),
  });
}

async function handle(request: Request, context: AdminContext): Promise<Response> {
  const { pathname } = new URL(request.url);
  const state = context.state();
  const service = "xoauth2-proxy-admin";
  switch (`${request.method} ${pathname}`) {
    case "GET /health":
      return state === "draining"
        ? Response.json({ status: "draining", service }, { status: 503 })
        : Response.json({ status: "healthy", service });
    case "GET /livez":
      return new Response("ok\n");
    case "GET /readyz":
      return new Response(`${state}\n`, { status: state === "running" ? 200 : 503 });
    case "GET /metrics":
      return new Response(await context.metrics.text(), {
        headers: { "content-type": context.metrics.contentType },
      });
    default:
      return Response.json({ success: false, error: "Not found" }, { status: 404 });
  }
}
