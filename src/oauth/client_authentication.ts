/** How the app proves itself to the token endpoint (RFC 6749 §2.3, RFC 7523 §2.2). */

import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import * as oauth from "oauth4webapi";
import type { OAuthClient } from "./authorization_server.ts";
import { readKeyFile } from "./key_file.ts";

/** RSA signatures that providers ask for: PS256 at Entra, RS256 at Google (RFC 7518 §3). */
export type RsaSignature = "RSA-PSS" | "RSASSA-PKCS1-v1_5";

/**
 * Certificate, secret in the body, or none for a public client. Basic authentication is left out: providers disagree
 * on how to encode it, and all take the body.
 *
 * @throws {TokenError} If a key or certificate file can't be used.
 */
export async function clientAuthentication(client: OAuthClient): Promise<oauth.ClientAuth> {
  const { privateKeyFile, certificateFile, clientSecret } = client;
  if (privateKeyFile !== undefined && certificateFile !== undefined) {
    const key = await readKeyFile(
      { field: "private_key_file", path: privateKeyFile, holds: "RSA private key (PEM)" },
      (pem) => importRsaKey(pem, "RSA-PSS"),
    );
    const certificate = await readKeyFile(
      { field: "certificate_file", path: certificateFile, holds: "certificate (PEM)" },
      (pem) => new X509Certificate(pem),
    );
    return certificateAssertion(key, { certificate, tokenUrl: client.provider.tokenUrl });
  }
  return clientSecret === undefined ? oauth.None() : oauth.ClientSecretPost(clientSecret);
}

/**
 * Reads an RSA private key for signing with SHA-256.
 *
 * @param pem PKCS#8, or the older PKCS#1 form.
 * @throws {Error} If it is no private key, or of another kind.
 */
export async function importRsaKey(pem: string, signature: RsaSignature): Promise<CryptoKey> {
  const pkcs8 = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return await crypto.subtle.importKey(
    "pkcs8",
    new Uint8Array(pkcs8),
    { name: signature, hash: "SHA-256" },
    false,
    ["sign"],
  );
}

interface AssertionOptions {
  readonly certificate: X509Certificate;
  readonly tokenUrl: string;
}

/** Entra wants the certificate's thumbprint in the header and the token endpoint as audience. */
function certificateAssertion(key: CryptoKey, { certificate, tokenUrl }: AssertionOptions): oauth.ClientAuth {
  const thumbprint = createHash("sha256").update(certificate.raw).digest("base64url");
  return oauth.PrivateKeyJwt(key, {
    [oauth.modifyAssertion]: (header, payload) => {
      header["typ"] = "JWT";
      header["x5t#S256"] = thumbprint;
      payload["aud"] = tokenUrl;
    },
  });
}
