/** What a failed TLS handshake means and what an operator can do about it; patterns of rustls, as Deno 2.9 words them. */

interface Fault {
  readonly pattern: RegExp;
  readonly remedy: (hostname: string) => string;
}

const FAULTS: readonly Fault[] = [
  {
    pattern: /UnknownIssuer/,
    remedy: (hostname) =>
      `the certificate of ${hostname} is not signed by a trusted authority; set ca_file if it is your own`,
  },
  {
    pattern: /not valid for name|NotValidForName/,
    remedy: (hostname) =>
      `the server shows a certificate of another host than ${hostname}; check smtp_endpoint, and what stands between`,
  },
  {
    pattern: /certificate expired|Expired/,
    remedy: (hostname) => `the certificate of ${hostname} has expired; check the clock of this host, too`,
  },
  {
    pattern: /not valid yet|NotValidYet/,
    remedy: (hostname) => `the certificate of ${hostname} is not valid yet; check the clock of this host`,
  },
  {
    pattern: /InvalidContentType|corrupt message/,
    remedy: () => `the server does not speak TLS here; for STARTTLS set smtp_security to "starttls"`,
  },
  {
    pattern: /ProtocolVersion|HandshakeFailure/,
    remedy: (hostname) => `${hostname} offers no TLS version or cipher of today; TLS 1.2 is the least`,
  },
];

/**
 * Says what to do about a fault.
 *
 * @param message Of the error that the handshake failed with.
 * @returns `undefined` for a fault that isn't known.
 */
export function describeTlsFault(message: string, hostname: string): string | undefined {
  return FAULTS.find(({ pattern }) => pattern.test(message))?.remedy(hostname);
}
