/**
 * Certificates for the embedded provider: a certification authority and what it signs, made anew at each start
 * (RFC 5280). Keys are ECDSA P-256, which takes milliseconds where RSA takes a second.
 */

import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" };
const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate and its private key (PKCS#8), both PEM. */
export interface CertificateAndKey {
  readonly certificate: string;
  readonly privateKey: string;
}

/** What a certificate is to vouch for. */
export interface LeafOptions {
  /** DNS names of the subject alternative name; the first is the common name too. Default: `localhost`. */
  readonly hostnames?: readonly string[];
  /** IP addresses of the subject alternative name. Default: the loopback addresses. */
  readonly ipAddresses?: readonly string[];
  /** Default: a day ago, so that a peer's slow clock doesn't matter. */
  readonly notBefore?: Date;
  /** Default: in 30 days. */
  readonly notAfter?: Date;
}

/**
 * A certification authority that lives as long as its object: its private key is never written down.
 *
 * It signs leaves rather than serving its own certificate, because rustls refuses a CA certificate as a server's.
 */
export class CertificateAuthority {
  readonly #keys: CryptoKeyPair;
  readonly #name: string;
  /** The authority's own certificate, PEM: what a client has to trust. */
  readonly certificate: string;

  private constructor(keys: CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys;
    this.#name = certificate.subject;
    this.certificate = certificate.toString("pem");
  }

  /** Makes an authority whose common name is `name`. */
  static async create(name: string): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const now = Date.now();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: [name] }],
      keys,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + 365 * DAY_MS),
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new CertificateAuthority(keys, certificate);
  }

  /** Signs a server certificate with a new key. */
  async issue(options: LeafOptions = {}): Promise<CertificateAndKey> {
    const hostnames = options.hostnames ?? ["localhost"];
    const ipAddresses = options.ipAddresses ?? ["127.0.0.1", "::1"];
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [hostnames[0] ?? "sandbox"] }],
      issuer: this.#name,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      notBefore: options.notBefore ?? new Date(Date.now() - DAY_MS),
      notAfter: options.notAfter ?? new Date(Date.now() + 30 * DAY_MS),
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...hostnames.map((value) => ({ type: "dns" as const, value })),
          ...ipAddresses.map((value) => ({ type: "ip" as const, value })),
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ],
    });
    return { certificate: certificate.toString("pem"), privateKey: await exportPrivateKey(keys.privateKey) };
  }
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

async function exportPrivateKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}
