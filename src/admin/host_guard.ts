/**
 * Refuses requests that a web page of somebody else's made the browser send: under a foreign host name (DNS rebinding),
 * or from a foreign origin.
 */

import type { MiddlewareHandler } from "hono";
import { isLoopbackHost } from "../config/loopback_host.ts";
import { RequestProblem } from "./request_problem.ts";

/** Under which names the server may be addressed, beside the loopback ones. */
export interface HostGuardOptions {
  /** Where it listens. */
  readonly hostname: string;
  /** Further names, without ports. */
  readonly allowedHosts: readonly string[];
}

/** Answers 403 unless the Host header is allowed, and the Origin, where there is one, is the same host and port. */
export function guardHost(options: HostGuardOptions): MiddlewareHandler {
  const names = new Set([options.hostname, ...options.allowedHosts].map(plainName));
  const isWildcard = ["0.0.0.0", "::"].includes(plainName(options.hostname));
  return async (context, next) => {
    const host = context.req.header("host") ?? new URL(context.req.url).host;
    const parsed = URL.parse(`http://${host}`);
    if (parsed === null || !isAllowed(parsed.hostname)) {
      throw new RequestProblem(
        403,
        "The Host header is not a name of this server: add it to admin.allowed_hosts if it is one",
      );
    }
    const origin = context.req.header("origin");
    if (origin !== undefined && !isSameHost(origin, host)) {
      throw new RequestProblem(403, "The Origin header is not this server's own");
    }
    await next();
  };

  function isAllowed(hostname: string): boolean {
    const name = plainName(hostname);
    // Rebinding needs a name; a literal address on a wildcard listener is one of this machine's.
    return names.has(name) || isLoopbackHost(name) || (isWildcard && isAddress(name));
  }
}

function plainName(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

function isAddress(name: string): boolean {
  return name.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(name);
}

function isSameHost(origin: string, host: string): boolean {
  const parsed = URL.parse(origin);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return false;
  // Read under the origin's scheme, so that its default port goes away on both sides.
  return URL.parse(`${parsed.protocol}//${host}`)?.host === parsed.host;
}
