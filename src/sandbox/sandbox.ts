/**
 * The embedded provider behind `--sandbox`: a token endpoint and a mail service that trusts its tokens, with
 * certificates made at the start, so that everything can be tried without an account anywhere.
 */

import type { Endpoint } from "../config/settings.ts";
import { CertificateAuthority } from "./certificates.ts";
import { MessageLedger, type ReceivedMessage } from "./message_ledger.ts";
import { type RefusalStyle, startSubmissionService } from "./submission_service.ts";
import { startTokenEndpoint } from "./token_endpoint.ts";
import { type SandboxAccount, TokenIssuer } from "./token_issuer.ts";

/** How a sandbox is to behave; everything has a default. */
export interface SandboxOptions {
  /** Where both services listen. Default: 127.0.0.1, which the certificate covers along with localhost and ::1. */
  readonly hostname?: string;
  /** Default: 0, a free one. */
  readonly smtpPort?: number;
  /** Default: 0, a free one. */
  readonly tokenPort?: number;
  /** Default: `starttls`. */
  readonly security?: "starttls" | "tls";
  /** Mailbox that is there from the start. Default: `sender@sandbox.example`. */
  readonly email?: string;
  /** Where to write the CA certificate. Default: nowhere. */
  readonly caFile?: string;
  /** Default: `google`. */
  readonly refusalStyle?: RefusalStyle;
  /** Life of access tokens. Default: 3,600, as the providers'. */
  readonly tokenLifeSeconds?: number;
  /** Length of access tokens. Default: 1,600, so that AUTH with an initial response won't fit a command line. */
  readonly accessTokenCharacters?: number;
  /** Default: 35,882,577, as Gmail's. */
  readonly maxMessageOctets?: number;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number;
  /** Closes the sandbox when it aborts. */
  readonly signal?: AbortSignal;
}

/** A running sandbox. Disposing it ends both services; a second time does nothing. */
export interface Sandbox extends AsyncDisposable {
  readonly smtp: Endpoint;
  readonly security: "starttls" | "tls";
  readonly tokenUrl: string;
  /** Token requests so far. */
  readonly tokenRequestCount: number;
  /** PEM; what a client of the mail service has to trust. */
  readonly caCertificate: string;
  /** Where the CA certificate was written, if it was. */
  readonly caFile?: string;
  /** The mailbox that is there from the start. */
  readonly account: SandboxAccount;
  /** Opens more mailboxes, expires, rotates and revokes tokens. */
  readonly tokens: TokenIssuer;
  /** Every accepted message, oldest first. */
  readonly messages: readonly ReceivedMessage[];
  /** Resolves with the oldest message that no earlier call has taken. @throws The signal's reason. */
  waitForMessage(signal: AbortSignal): Promise<ReceivedMessage>;
}

/**
 * Starts a sandbox.
 *
 * @throws {Error} If a port can't be had or the CA file can't be written; nothing is left running.
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  options.signal?.throwIfAborted();
  await using stack = new AsyncDisposableStack();
  const { hostname = "127.0.0.1", security = "starttls", signal } = options;
  const authority = await CertificateAuthority.create("xoauth2-proxy sandbox");
  const ledger = new MessageLedger();
  const issuer = new TokenIssuer({
    now: options.now ?? Date.now,
    expiresInSeconds: options.tokenLifeSeconds ?? 3600,
    accessTokenCharacters: options.accessTokenCharacters ?? 1600,
  });
  const account = issuer.addAccount(options.email ?? "sender@sandbox.example");
  const tokenEndpoint = stack.use(startTokenEndpoint({ hostname, port: options.tokenPort ?? 0, issuer }));
  const service = stack.use(
    await startSubmissionService({
      hostname,
      port: options.smtpPort ?? 0,
      security,
      certificate: await authority.issue(),
      issuer,
      ledger,
      refusalStyle: options.refusalStyle ?? "google",
      maxMessageOctets: options.maxMessageOctets ?? 35_882_577,
    }),
  );
  if (options.caFile !== undefined) await Deno.writeTextFile(options.caFile, authority.certificate);
  const close = closeOnce(stack.move(), signal);
  return {
    smtp: service.endpoint,
    security,
    tokenUrl: tokenEndpoint.url,
    get tokenRequestCount() {
      return tokenEndpoint.requestCount;
    },
    caCertificate: authority.certificate,
    ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
    account,
    tokens: issuer,
    messages: ledger.messages,
    waitForMessage: (waitSignal) => ledger.waitForMessage(waitSignal),
    [Symbol.asyncDispose]: close,
  };
}

/** One disposal however often it is asked for, by the caller or by the signal; a failure reaches the caller. */
function closeOnce(stack: AsyncDisposableStack, signal: AbortSignal | undefined): () => Promise<void> {
  let closing: Promise<void> | undefined;
  const close = () => {
    signal?.removeEventListener("abort", onAbort);
    return closing ??= stack.disposeAsync();
  };
  const onAbort = () => {
    close().catch(() => {}); // kept in `closing` for the caller's own disposal
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  return close;
}
