/** The real daemon between a scripted provider and clients, for tests that stop it in the middle of something. */

import { DaemonProcess } from "../support/daemon_process.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { ScriptedTokenEndpoint } from "../support/token_endpoint.ts";

/** The one mailbox; without a password, as loopback clients may use it. */
export const MAILBOX = "sender@example.com";

/** What differs from one stage to another. */
export interface StageOptions {
  /** Further arguments of `start`. */
  readonly args?: readonly string[];
  /** Connections that the mailbox may have. Default: 5. */
  readonly connections?: number;
  /** False: the daemon may still be starting. Default: true. */
  readonly waitsUntilReady?: boolean;
}

/** Provider, token endpoint and daemon. Disposing it ends all three. */
export class Stage implements AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  readonly tokens: ScriptedTokenEndpoint;
  readonly daemon: DaemonProcess;
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: Pick<Stage, "upstream" | "tokens" | "daemon">, owned: AsyncDisposableStack) {
    this.upstream = parts.upstream;
    this.tokens = parts.tokens;
    this.daemon = parts.daemon;
    this.#owned = owned;
  }

  /** Starts provider and token endpoint, then the daemon. */
  static async set(options: StageOptions = {}): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const upstream = stack.use(await ScriptedUpstream.start());
    const tokens = stack.use(await ScriptedTokenEndpoint.start());
    const caFile = await Deno.makeTempFile({ suffix: ".pem" });
    stack.defer(() => Deno.remove(caFile));
    await Deno.writeTextFile(caFile, upstream.caCertificate);
    const daemon = stack.use(
      await DaemonProcess.start({
        config: configFor({ upstream, tokens, caFile, connections: options.connections ?? 5 }),
        accounts: [{ email: MAILBOX, provider: "scripted", client_id: "client", refresh_token: "refresh" }],
        args: options.args ?? [],
        waitsUntilReady: options.waitsUntilReady ?? true,
      }),
    );
    return new Stage({ upstream, tokens, daemon }, stack.move());
  }

  /** A client that has been greeted and is signed in. */
  async client(): Promise<SmtpTestClient> {
    const client = await SmtpTestClient.connect({ port: this.daemon.listener.port, deadlineMs: 15_000 });
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.authPlain(MAILBOX, "any");
    return client;
  }

  /** A client whose transaction has come to the 354. */
  async clientInBody(): Promise<SmtpTestClient> {
    const client = await this.client();
    await client.command(`MAIL FROM:<${MAILBOX}>`, "250 *");
    await client.command("RCPT TO:<someone@example.net>", "250 *");
    await client.command("DATA", "354 *");
    return client;
  }

  /** Subjects of the messages that the provider has accepted, sorted. */
  get acceptedSubjects(): string[] {
    const subject = (octets: Uint8Array) =>
      /^Subject: (.*)$/m.exec(new TextDecoder().decode(octets))?.[1]?.trim();
    return this.upstream.messages.map(({ mailData }) => subject(mailData) ?? "").sort();
  }

  /** The exit status, when the daemon has ended. */
  async exitStatus(): Promise<number> {
    return (await this.daemon.exited).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

interface Surroundings {
  readonly upstream: ScriptedUpstream;
  readonly tokens: ScriptedTokenEndpoint;
  readonly caFile: string;
  readonly connections: number;
}

/** config.json with one provider, as the surroundings are. */
export function configFor({ upstream, tokens, caFile, connections }: Surroundings): Record<string, unknown> {
  const { hostname, port } = upstream.endpoint;
  const scripted = {
    smtp_endpoint: `${hostname}:${port}`,
    smtp_security: upstream.options.security,
    ca_file: caFile,
    oauth_token_url: tokens.url,
    limits: { connections },
  };
  return { providers: { scripted } };
}
