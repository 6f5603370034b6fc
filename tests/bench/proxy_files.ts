/** The folder that a measured daemon works in: config.json, accounts.json, the CA file. */

import { type Bench, HOSTNAME } from "./bench.ts";
import type { SinkEndpoints } from "./sink.ts";

/** How the daemon is set up. */
export interface ProxyFilesOptions {
  /** The sink that is its provider. */
  readonly sink: SinkEndpoints;
  /** Default: 1. */
  readonly accounts?: number;
  /** Upstream connections that an account may have. Default: 25. */
  readonly connections?: number;
  /** How long a connection lives. Default: 3,600. */
  readonly connectionMaxAgeSeconds?: number;
  /**
   * Hash of the clients' password; absent: accounts without one, open to loopback clients. Rows that count memory, or
   * many first sign-ins, go without: scrypt takes 16 MiB and its time.
   */
  readonly passwordHash?: string;
  /** Default: `bench-secret`. */
  readonly clientSecret?: string;
}

/** Where everything is. */
export interface ProxyFiles {
  readonly folder: string;
  readonly configFile: string;
  readonly accountsFile: string;
  readonly logFile: string;
  readonly stateFolder: string;
}

/** Writes the files of one daemon into a new folder. */
export async function writeProxyFiles(bench: Bench, options: ProxyFilesOptions): Promise<ProxyFiles> {
  const folder = await Deno.makeTempDir({ dir: bench.folder, prefix: "proxy-" });
  const files = {
    folder,
    configFile: `${folder}/config.json`,
    accountsFile: `${folder}/accounts.json`,
    logFile: `${folder}/log/daemon.log`,
    stateFolder: `${folder}/state`,
  };
  await Deno.mkdir(`${folder}/log`);
  await Deno.mkdir(files.stateFolder);
  await Deno.writeTextFile(`${folder}/ca.pem`, bench.caCertificate);
  await Deno.writeTextFile(files.configFile, JSON.stringify(config(options)));
  await writeAccounts(files, options);
  return files;
}

/** Writes accounts.json anew: `options.accounts` of them, as `mailboxes` names them. */
export async function writeAccounts(files: ProxyFiles, options: ProxyFilesOptions): Promise<void> {
  const accounts = mailboxes(options.accounts ?? 1).map((email) => ({
    email,
    provider: "bench",
    client_id: "bench-client",
    client_secret: options.clientSecret ?? "bench-secret",
    refresh_token: `refresh-${email}`,
    ...(options.passwordHash && { password_hash: options.passwordHash }),
  }));
  await Deno.writeTextFile(files.accountsFile, JSON.stringify(accounts), { mode: 0o600 });
}

/** The first `count` mailboxes of the bench. */
export function mailboxes(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `mailbox${index + 1}@bench.example`);
}

function config({ sink, connections = 25, connectionMaxAgeSeconds = 3600 }: ProxyFilesOptions): object {
  const [account] = mailboxes(1);
  return {
    listeners: [
      { host: HOSTNAME, port: 0, max_sessions: 5000, max_sessions_per_client: 5000 },
      // For smtp-source, which can't sign in.
      { host: HOSTNAME, port: 0, allowed_clients: [`${HOSTNAME}/32`], account },
    ],
    providers: {
      bench: {
        smtp_endpoint: `localhost:${sink.tlsPort}`,
        smtp_security: "tls",
        ca_file: "ca.pem",
        oauth_token_url: `http://${HOSTNAME}:${sink.httpPort}/token`,
        max_concurrent_messages: 10_000,
        limits: { connections },
        connection_pool: {
          // The direct client keeps its connections for the whole of a run, so the proxy may too.
          max_connections_per_account: connections,
          max_messages_per_connection: 1_000_000,
          connection_max_age_seconds: connectionMaxAgeSeconds,
          connection_idle_timeout_seconds: 3600,
          wait_timeout_seconds: 60,
        },
      },
    },
  };
}
