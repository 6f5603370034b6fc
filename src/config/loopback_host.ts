/**
 * Tells whether a host name or address stays on this machine: `localhost` (RFC 6761 §6.3), 127.0.0.0/8, `::1` and
 * their IPv4-mapped forms. Brackets around IPv6 addresses, as URLs have them, are read past. No name is looked up.
 */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "localhost" || host.endsWith(".localhost") || host === "::1") return true;
  // URL writes ::ffff:127.0.0.1 as ::ffff:7f00:1.
  if (/^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(host)) return true;
  const ipv4 = host.replace(/^::ffff:/, "");
  return /^127(\.\d{1,3}){3}$/.test(ipv4);
}
