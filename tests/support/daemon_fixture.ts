/** The real daemon with a provider of its own: a scripted upstream and a scripted token endpoint. */

import { join } from "node:path";
import { hashPassword } from "../../src/accounts/password_hash.ts";
import type { Endpoint } from "../../src/config/settings.ts";
import { DaemonProcess, type DaemonProcessOptions } from "./daemon_process.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";
import { SmtpTestClient, type SmtpTestClientOptions } from "./smtp_client.ts";
import { ScriptedTokenEndpoint } from "./token_endpoint.ts";
import type { ScriptedUpstreamOptions } from "./upstream_options.ts";

/** The mailbox that the daemon is configured with. */
export const MAILBOX = { email: "sender@example.com", password: "correct horse" } as const;

/** Everything has a default. */
export interface DaemonFixtureOptions {
  readonly upstream?: Partial<ScriptedUpstreamOptions>;
  /** Where mail goes, in place of the scripted upstream. */
  readonly smtpEndpoint?: Endpoint;
  /** Members of config.json's `listeners`; host 127.0.0.1 and port 0 are added, and a certificate where TLS is spoken. */
  readonly listeners?: readonly Readonly<Record<string, unknown>>[];
  /** Added to the provider in config.json. */
  readonly provider?: Readonly<Record<string, unknown>>;
  /** Further members of config.json. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** As for `DaemonProcess.start`. */
  readonly command?: DaemonProcessOptions["command"];
}

/** What runs, and where its certificates are. */
export interface DaemonFixture extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly upstream: ScriptedUpstream;
  readonly tokenEndpoint: ScriptedTokenEndpoint;
  /** PEM file with the authority that signed the listeners' certificate and the upstream's. */
  readonly caFile: string;
  /** Where a listener is. */
  listener(index?: number): Endpoint;
  /** Connects, greets and signs in. */
  signIn(options?: Pick<SmtpTestClientOptions, "deadlineMs">): Promise<SmtpTestClient>;
}

/** Starts upstream, token endpoint and daemon. */
export async function startDaemonFixture(options: DaemonFixtureOptions = {}): Promise<DaemonFixture> {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-fixture-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const upstream = stack.use(await ScriptedUpstream.start(options.upstream));
  const tokenEndpoint = stack.use(await ScriptedTokenEndpoint.start());
  const files = await writeCertificates(directory, upstream);
  const { hostname, port } = options.smtpEndpoint ?? upstream.endpoint;
  const provider = {
    smtp_endpoint: `${hostname}:${port}`,
    smtp_security: upstream.options.security,
    oauth_token_url: tokenEndpoint.url,
    ca_file: files.caFile,
    limits: { connections: 10 },
    ...options.provider,
  };
  const tls = { certificate_file: files.certificateFile, private_key_file: files.privateKeyFile };
  const listeners = (options.listeners ?? [{}]).map((listener) => ({
    host: "127.0.0.1",
    port: 0,
    ...(listener.security !== undefined && listener.security !== "none" && tls),
    ...listener,
  }));
  const daemon = stack.use(
    await DaemonProcess.start({
      config: { ...options.config, listeners, providers: { scripted: provider } },
      accounts: [await account()],
      ...(options.command && { command: options.command }),
    }),
  );
  const owned = stack.move();
  const listener = (index = 0) => daemon.ready.listeners[index]!;
  return {
    daemon,
    upstream,
    tokenEndpoint,
    caFile: files.caFile,
    listener,
    signIn: (options) => signIn({ ...listener(), ...options }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function account(): Promise<Record<string, unknown>> {
  return {
    email: MAILBOX.email,
    provider: "scripted",
    client_id: "client-1",
    client_secret: "secret-of-client",
    refresh_token: "refresh-1",
    password_hash: await hashPassword(MAILBOX.password),
  };
}

async function writeCertificates(directory: string, { certificates }: ScriptedUpstream) {
  const files = {
    caFile: join(directory, "ca.pem"),
    certificateFile: join(directory, "certificate.pem"),
    privateKeyFile: join(directory, "key.pem"),
  };
  await Deno.writeTextFile(files.caFile, certificates.caCertificate);
  await Deno.writeTextFile(files.certificateFile, certificates.leaf.certificate);
  await Deno.writeTextFile(files.privateKeyFile, certificates.leaf.privateKey, { mode: 0o600 });
  return files;
}

async function signIn(options: SmtpTestClientOptions): Promise<SmtpTestClient> {
  const client = await SmtpTestClient.connect(options);
  await client.expect("220 *");
  await client.command("EHLO client.example", "250 *");
  await client.authPlain(MAILBOX.email, MAILBOX.password);
  return client;
}
