/** What every row of the bench is given. */

import { hashPassword } from "../../src/accounts/password_hash.ts";
import { type CertificateAndKey, CertificateAuthority } from "../../src/sandbox/certificates.ts";

/** Password of every account of the bench. */
export const PASSWORD = "bench-password";
/** What a client that signs in directly presents as its token: as long as Microsoft's. */
export const ACCESS_TOKEN = "t".repeat(2000);
/** Host name that everything listens on. */
export const HOSTNAME = "127.0.0.1";

/** The bench's surroundings. */
export interface Bench {
  /** Measurements of each kind; the table shows their median. */
  readonly rounds: number;
  /** Length of one measurement under load. */
  readonly seconds: number;
  /** Where rows make their folders. */
  readonly folder: string;
  readonly caCertificate: string;
  /** The sink's certificate and key. */
  readonly server: CertificateAndKey;
  /** Hash of `PASSWORD`. */
  readonly passwordHash: string;
  /** Kills every process of the bench. */
  readonly signal: AbortSignal;
  /** Tells the operator what is being measured. */
  readonly report: (text: string) => void;
}

/** Makes the certificates and the folder. */
export async function prepareBench(
  options: Pick<Bench, "rounds" | "seconds" | "signal" | "report">,
): Promise<Bench & AsyncDisposable> {
  const authority = await CertificateAuthority.create("bench");
  const folder = await Deno.makeTempDir({ prefix: "xoauth2-bench-" });
  return {
    ...options,
    folder,
    caCertificate: authority.certificate,
    server: await authority.issue(),
    passwordHash: await hashPassword(PASSWORD),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
