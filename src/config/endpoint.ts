import type { Endpoint } from "./settings.ts";

const withPort = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):(\d{1,5})$/;

/**
 * Reads `host:port`; an IPv6 address stands in brackets.
 *
 * @returns Nothing if the text is no end point or the port is outside 1–65535.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = withPort.exec(text.trim());
  if (!match) return undefined;
  const port = Number(match[3]);
  const hostname = match[1] ?? match[2];
  if (hostname === undefined || port < 1 || port > 65_535) return undefined;
  return { hostname, port };
}

/** The inverse of `parseEndpoint`. */
export function formatEndpoint(endpoint: Endpoint): string {
  const { hostname, port } = endpoint;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
