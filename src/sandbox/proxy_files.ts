/** Ready-made `config.json` and `accounts.json` for a proxy that is to send through a sandbox. */

import type { Sandbox } from "./sandbox.ts";
import type { SandboxAccount } from "./token_issuer.ts";

/** Name of the sandbox among the providers. */
export const SANDBOX_PROVIDER_NAME = "sandbox";

/** What the files are made from. */
export interface ProxyFilesOptions {
  readonly sandbox: Pick<Sandbox, "smtp" | "security" | "tokenUrl" | "caFile">;
  readonly accounts: readonly SandboxAccount[];
  /** Hashes a password as `password_hash` wants it; absent: the accounts have none and are open to loopback clients. */
  readonly hashPassword?: (password: string) => Promise<string>;
}

/** The two files, as values to be written as JSON. */
export interface ProxyFiles {
  readonly config: Record<string, unknown>;
  readonly accounts: readonly Record<string, unknown>[];
}

/** Describes the sandbox as a custom provider, and its mailboxes as accounts of it. */
export async function createProxyFiles(
  { sandbox, accounts, hashPassword }: ProxyFilesOptions,
): Promise<ProxyFiles> {
  const { hostname, port } = sandbox.smtp;
  const provider = {
    smtp_endpoint: `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`,
    smtp_security: sandbox.security,
    oauth_token_url: sandbox.tokenUrl,
    ...(sandbox.caFile === undefined ? {} : { ca_file: sandbox.caFile }),
  };
  return {
    config: { providers: { [SANDBOX_PROVIDER_NAME]: provider } },
    accounts: await Promise.all(accounts.map(async (account) => ({
      email: account.email,
      provider: SANDBOX_PROVIDER_NAME,
      client_id: account.clientId,
      client_secret: account.clientSecret,
      refresh_token: account.refreshToken,
      ...(hashPassword ? { password_hash: await hashPassword(account.password) } : {}),
    }))),
  };
}
