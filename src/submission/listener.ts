/** A place where clients connect. */

import { createSecureContext, type SecureContext } from "node:tls";
import type { Endpoint, ListenerSettings } from "../config/settings.ts";
import type { ByteStream } from "../transport/byte_stream.ts";
import { DenoStream } from "../transport/deno_stream.ts";
import { listenFailure } from "../transport/listen_failure.ts";
import { StarttlsStream } from "../transport/tls_server_stream.ts";

/** Certificate chain and key, PEM. */
export interface CertificatePair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Takes a connection; must not reject or throw. For implicit TLS the handshake is still to come. */
export type OnConnection = (stream: ByteStream) => void;

/** An open listener. */
export interface Listener {
  readonly settings: ListenerSettings;
  /** Where it really listens: the port is chosen by now. */
  readonly address: Endpoint;
  /** From now on handshakes use this certificate; connections that stand are not touched. */
  useCertificate(pair: CertificatePair): void;
  /** Accepts no more, at once: a new connection is refused. */
  close(): Promise<void>;
}

/** How a listener is opened. */
export interface OpenListenerOptions {
  readonly onConnection: OnConnection;
  /** Told when the system gives no connection, for lack of descriptors as a rule; the listener tries again. */
  readonly onAcceptFailure?: (error: Error) => void;
  /** Needed unless the listener's security is `none`. */
  readonly pair?: CertificatePair;
  /** Listens beside a listener of this program that has the port, in this process or another. Default: false. */
  readonly isShared?: boolean;
}

/** Between two tries where the system gives no connection. */
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 1_000;

/** Connections that the system holds until they are accepted. */
const BACKLOG = 1024;

/**
 * SO_REUSEPORT: a successor may listen before this process lets go (`start --take-over`), but only if both have said so
 * (socket(7)). Other systems give all connections to one of the two, or don't know it.
 */
const reusePort = Deno.build.os === "linux";

/**
 * Opens a listener.
 *
 * @throws {Deno.errors.AddrInUse} and the system's other errors, with the address.
 */
export function openListener(
  settings: ListenerSettings,
  { onConnection, onAcceptFailure = () => {}, pair, isShared = false }: OpenListenerOptions,
): Listener {
  if (!isShared) assertFree(settings);
  try {
    return new TcpListener(settings, { context: contextFor(settings, pair), onConnection, onAcceptFailure });
  } catch (error) {
    throw listenFailure(error, settings);
  }
}

/**
 * With SO_REUSEPORT two daemons that know nothing of each other would share the port without a word.
 *
 * @throws {Deno.errors.AddrInUse} and the system's other errors, with the address.
 */
export function assertFree({ hostname, port }: Endpoint): void {
  try {
    Deno.listen({ hostname, port }).close();
  } catch (error) {
    throw listenFailure(error, { hostname, port });
  }
}

interface TcpListenerOptions extends Required<Pick<OpenListenerOptions, "onConnection" | "onAcceptFailure">> {
  /** Absent where clients speak in clear. */
  readonly context: SecureContext | undefined;
}

class TcpListener implements Listener {
  readonly settings: ListenerSettings;
  readonly address: Endpoint;
  readonly #listener: Deno.TcpListener;
  readonly #accepting: Promise<void>;
  #context: SecureContext | undefined;
  #endPause = () => {};

  constructor(settings: ListenerSettings, { context, ...told }: TcpListenerOptions) {
    this.settings = settings;
    this.#context = context;
    const { hostname, port } = settings;
    this.#listener = Deno.listen({ hostname, port, tcpBacklog: BACKLOG, reusePort });
    this.address = { hostname, port: this.#listener.addr.port };
    this.#accepting = this.#accept(told);
  }

  useCertificate(pair: CertificatePair): void {
    if (this.#context) this.#context = contextOf(pair);
  }

  async close(): Promise<void> {
    this.#listener.close();
    this.#endPause();
    await this.#accepting;
  }

  #wrap(conn: Deno.TcpConn): ByteStream {
    return this.#context ? new StarttlsStream(conn, () => this.#context!) : new DenoStream(conn);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #accept({ onConnection, onAcceptFailure }: Omit<TcpListenerOptions, "context">): Promise<void> {
    for (let pauseMs = SHORTEST_PAUSE_MS;;) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        if (isClientGone(error)) continue;
        onAcceptFailure(error as Error);
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
        continue;
      }
      pauseMs = SHORTEST_PAUSE_MS;
      if (takeOptions(conn)) onConnection(this.#wrap(conn));
    }
  }
}

/** It was reset while it waited to be accepted; there is nothing to wait for, and the next one may be served. */
function isClientGone(error: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return [ConnectionAborted, ConnectionReset, NotConnected].some((kind) => error instanceof kind);
}

/** @returns false for a client that is gone already; its socket is closed then. */
function takeOptions(conn: Deno.TcpConn): boolean {
  try {
    conn.setNoDelay(true);
    return true;
  } catch {
    conn.close();
    return false;
  }
}

/** @throws {TypeError} Clients are to speak inside TLS, and there is no certificate. */
function contextFor(
  { security }: ListenerSettings,
  pair: CertificatePair | undefined,
): SecureContext | undefined {
  if (security === "none") return undefined;
  if (!pair) throw new TypeError(`Cannot listen with ${security}: no certificate`);
  return contextOf(pair);
}

function contextOf({ certificate, privateKey }: CertificatePair): SecureContext {
  return createSecureContext({ cert: certificate, key: privateKey });
}
