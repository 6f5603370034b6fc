/** Why an address can't be listened at, with the address: the system's own words leave it out. */

import type { Endpoint } from "../config/settings.ts";

/** The error with the address in its message; what is no error as it is. */
export function listenFailure(error: unknown, { hostname, port }: Endpoint): unknown {
  if (!(error instanceof Error)) return error;
  const place = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  // Sockets of node:net fail with a code, Deno's own with a class.
  const code = "code" in error ? error.code : undefined;
  if (error instanceof Deno.errors.AddrInUse || code === "EADDRINUSE") {
    return new Deno.errors.AddrInUse(`${place} is in use`, { cause: error });
  }
  if (error instanceof Deno.errors.PermissionDenied || code === "EACCES") {
    return new Deno.errors.PermissionDenied(`${place} is not permitted`, { cause: error });
  }
  if (error instanceof Deno.errors.AddrNotAvailable || code === "EADDRNOTAVAIL") {
    return new Deno.errors.AddrNotAvailable(`${place} is no address of this machine`, { cause: error });
  }
  return new Error(`${place}: ${error.message}`, { cause: error });
}
