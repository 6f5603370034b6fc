/** Certificates for tests: one good one, and each kind that a client has to refuse. */

import { type CertificateAndKey, CertificateAuthority } from "../../src/sandbox/certificates.ts";

/** A CA and leaves that it signed, all PEM. */
export interface TestCertificates {
  /** What clients are to trust. */
  readonly caCertificate: string;
  /** For localhost, 127.0.0.1 and ::1. */
  readonly leaf: CertificateAndKey;
  /** For another host than the one connected to. */
  readonly wrongHost: CertificateAndKey;
  /** Good until yesterday. */
  readonly expired: CertificateAndKey;
  /** For the right host, from an authority that nobody trusts. */
  readonly untrusted: CertificateAndKey;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes them all; takes about 20 ms. */
export async function createTestCertificates(): Promise<TestCertificates> {
  const authority = await CertificateAuthority.create("test CA");
  const stranger = await CertificateAuthority.create("untrusted test CA");
  const now = Date.now();
  return {
    caCertificate: authority.certificate,
    leaf: await authority.issue(),
    wrongHost: await authority.issue({ hostnames: ["elsewhere.example"], ipAddresses: ["192.0.2.1"] }),
    expired: await authority.issue({
      notBefore: new Date(now - 30 * DAY_MS),
      notAfter: new Date(now - DAY_MS),
    }),
    untrusted: await stranger.issue(),
  };
}
