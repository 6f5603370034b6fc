/**
 * The sandbox's mail submission service (RFC 6409): XOAUTH2 and nothing else, only inside TLS, as Gmail and
 * Microsoft 365 have it.
 */

import { Buffer } from "node:buffer";
import type { AddressInfo, Socket } from "node:net";
import {
  SMTPServer,
  type SMTPServerAuthentication,
  type SMTPServerAuthenticationResponse,
  type SMTPServerDataStream,
  type SMTPServerOptions,
  type SMTPServerSession,
} from "smtp-server";
import type { Endpoint, TransportSecurity } from "../config/settings.ts";
import type { CertificateAndKey } from "./certificates.ts";
import type { MessageLedger, ReceivedMessage } from "./message_ledger.ts";
import type { TokenIssuer } from "./token_issuer.ts";

/** Whose way of refusing a token is followed. */
export type RefusalStyle = "google" | "microsoft";

/** Collaborators and behaviour of the service. */
export interface SubmissionServiceOptions extends Endpoint {
  readonly security: Exclude<TransportSecurity, "none">;
  readonly certificate: CertificateAndKey;
  readonly issuer: TokenIssuer;
  readonly ledger: MessageLedger;
  readonly refusalStyle: RefusalStyle;
  /** Largest message, announced by SIZE (RFC 1870). */
  readonly maxMessageOctets: number;
}

/** A running service. */
export interface SubmissionService extends AsyncDisposable {
  readonly endpoint: Endpoint;
}

/** How long clients may take to go away after the 421 of a closing service. */
const CLOSE_GRACE_MS = 200;

/** Starts the service. @throws {Error} If the port can't be had. */
export async function startSubmissionService(options: SubmissionServiceOptions): Promise<SubmissionService> {
  const sockets = new Set<Socket>();
  const server = new SMTPServer(serverOptions(options));
  server.on("error", () => {}); // a client's reset or failed handshake ends its own connection only
  server.server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(options.port, options.hostname, () => {
      server.server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.server.address() as AddressInfo;
  return {
    endpoint: { hostname: options.hostname, port },
    [Symbol.asyncDispose]: () => close(server, sockets),
  };
}

function serverOptions(options: SubmissionServiceOptions): SMTPServerOptions {
  return {
    secure: options.security === "tls",
    cert: options.certificate.certificate,
    key: options.certificate.privateKey,
    name: "sandbox.localhost",
    banner: "xoauth2-proxy sandbox",
    authMethods: ["XOAUTH2"],
    size: options.maxMessageOctets,
    rejectOversized: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    disableReverseLookup: true,
    socketTimeout: 5 * 60_000,
    closeTimeout: 1,
    logger: false,
    onConnect(session, callback) {
      // Offered from the start, a client would show its token to whoever listens.
      session.disabledCommands = session.secure ? [] : ["AUTH"];
      callback();
    },
    onSecure(_socket, session, callback) {
      session.disabledCommands = [];
      callback();
    },
    onAuth: (auth, _session, callback) => authenticate(auth, options, callback),
    onMailFrom: (_address, session, callback) => callback(session.user ? null : NOT_AUTHENTICATED),
    onData: (stream, session, callback) => receive({ stream, session, ledger: options.ledger }, callback),
  };
}

type AuthCallback = (error: Error | null, response?: SMTPServerAuthenticationResponse) => void;

function authenticate(
  auth: SMTPServerAuthentication,
  options: SubmissionServiceOptions,
  callback: AuthCallback,
): void {
  const { username = "", accessToken = "" } = auth;
  if (options.issuer.accepts(accessToken, username)) return callback(null, { user: username });
  if (options.refusalStyle === "microsoft") {
    return callback(refusal("535 5.7.3", "Authentication unsuccessful [sandbox.localhost]"));
  }
  // Google tells why in a challenge, and refuses only after the client's empty answer.
  callback(null, { data: { status: "400", schemes: "Bearer", scope: "https://mail.google.com/" } });
}

interface Reception {
  readonly stream: SMTPServerDataStream;
  readonly session: SMTPServerSession;
  readonly ledger: MessageLedger;
}

function receive(
  { stream, session, ledger }: Reception,
  callback: (error: Error | null, message?: string) => void,
): void {
  const chunks: Uint8Array[] = [];
  stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  stream.on("end", () => {
    if (stream.sizeExceeded) return callback(refusal("552 5.3.4", "Message exceeds the size limit"));
    const message = receivedMessage(session, chunks);
    ledger.add(message);
    callback(null, message.replyText);
  });
}

function receivedMessage(session: SMTPServerSession, chunks: readonly Uint8Array[]): ReceivedMessage {
  const { mailFrom, rcptTo } = session.envelope;
  return {
    account: String(session.user),
    reversePath: mailFrom ? mailFrom.address : "",
    forwardPaths: rcptTo.map((recipient) => recipient.address),
    mailData: Uint8Array.from(Buffer.concat(chunks)),
    replyText: `OK ${session.id}-${session.transaction} sandbox`,
  };
}

/**
 * smtp-server derives the enhanced code from the reply code alone, 5.7.8 for every 535. It writes `responseCode`
 * as it stands, though, so both codes travel in it together.
 */
function refusal(codes: string, text: string): Error {
  return Object.assign(new Error(text), { responseCode: codes });
}

const NOT_AUTHENTICATED = refusal("530 5.7.0", "Authentication required");

/** Tells the clients 421, gives them a moment to go and then drops those left. */
async function close(server: SMTPServer, sockets: ReadonlySet<Socket>): Promise<void> {
  if (!server.server.listening) return;
  const closed = new Promise<void>((resolve) => server.server.once("close", resolve));
  server.close();
  const timer = setTimeout(() => sockets.forEach((socket) => socket.destroy()), CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}
