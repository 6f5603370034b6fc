/** From nothing to a signed-in connection: connect, TLS, greeting, EHLO, AUTH, each phase under a deadline of its own. */

import type { Endpoint, TransportSecurity } from "../config/settings.ts";
import { Extensions } from "../smtp/extensions.ts";
import type { Reply } from "../smtp/reply.ts";
import { DenoStream } from "../transport/deno_stream.ts";
import type { Deadlines } from "../transport/deadlines.ts";
import { type ReplyTimeouts, UpstreamConnection } from "./connection.ts";
import { type SignIn, signIn } from "./sign_in.ts";
import { describeTlsFault } from "./tls_fault.ts";
import { DialError, type DialPhase, UpstreamLostError } from "./upstream_error.ts";

/** How long each phase may take. */
export type PhaseTimeouts = Readonly<Record<DialPhase, number>>;

/** Shorter than RFC 5321 §4.5.3.2 allows: a client is waiting for its answer to MAIL, and can come again. */
export const PHASE_TIMEOUTS_MS: PhaseTimeouts = {
  connect: 10_000,
  tls: 10_000,
  greeting: 30_000,
  ehlo: 30_000,
  starttls: 30_000,
  auth: 30_000,
};

export interface DialTarget {
  readonly endpoint: Endpoint;
  readonly security: TransportSecurity;
  /** PEM certificates to trust beside the built-in ones. */
  readonly caCerts: readonly string[];
}

export interface DialOptions {
  readonly signIn: SignIn;
  readonly signal: AbortSignal;
  readonly deadlines: Deadlines;
  readonly now: () => number;
  /** Name for EHLO. */
  readonly clientName: string;
  readonly phaseTimeoutsMs?: PhaseTimeouts;
  readonly replyTimeouts?: ReplyTimeouts;
  /** Told of each phase that is completed. */
  readonly onPhase?: (phase: DialPhase) => void;
}

/**
 * Opens a connection and signs it in. The certificate and the host name are always verified.
 *
 * @throws {DialError} Naming the phase that failed.
 * @throws The signal's reason, when it aborts.
 */
export async function dial(target: DialTarget, options: DialOptions): Promise<UpstreamConnection> {
  using attempt = new Attempt(target, options);
  return await attempt.run();
}

/** One attempt: what is open is closed when it fails, times out or is aborted. */
class Attempt implements Disposable {
  readonly #target: DialTarget;
  readonly #options: DialOptions;
  readonly #abort = new AbortController();
  #open: Disposable | undefined;
  #phase: DialPhase = "connect";
  #timedOut = false;

  constructor(target: DialTarget, options: DialOptions) {
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<UpstreamConnection> {
    const { signal, deadlines, phaseTimeoutsMs = PHASE_TIMEOUTS_MS } = this.#options;
    signal.throwIfAborted();
    const cancel = () => {
      this.#abort.abort(signal.reason);
      this.#open?.[Symbol.dispose]();
    };
    signal.addEventListener("abort", cancel, { once: true });
    using deadline = deadlines.add(() => {
      this.#timedOut = true;
      cancel();
    });
    try {
      const connection = await this.#connect((phase) => {
        if (phase !== "connect") this.#options.onPhase?.(this.#phase);
        this.#phase = phase;
        deadline.set(phaseTimeoutsMs[phase]);
      });
      this.#options.onPhase?.("auth");
      signal.throwIfAborted();
      this.#open = undefined;
      return connection;
    } catch (error) {
      signal.throwIfAborted();
      throw this.#translate(error, phaseTimeoutsMs);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  [Symbol.dispose](): void {
    this.#open?.[Symbol.dispose]();
  }

  async #connect(enter: (phase: DialPhase) => void): Promise<UpstreamConnection> {
    const { endpoint, security } = this.#target;
    enter("connect");
    const tcp = await Deno.connect({ ...endpoint, signal: this.#abort.signal });
    this.#open = tcp;
    this.#abort.signal.throwIfAborted();
    tcp.setNoDelay(true);
    let connection: UpstreamConnection;
    if (security === "tls") {
      connection = this.#wrap(await this.#handshake(tcp, enter));
      await this.#greet(connection, enter);
    } else {
      connection = this.#wrap(tcp);
      await this.#greet(connection, enter);
    }
    await this.#hello(connection, enter);
    if (security === "starttls") connection = await this.#upgrade(tcp, connection, enter);
    enter("auth");
    await signIn(connection, this.#options.signIn);
    return connection;
  }

  #wrap(conn: Deno.TcpConn | Deno.TlsConn): UpstreamConnection {
    const { deadlines, now, replyTimeouts } = this.#options;
    const connection = new UpstreamConnection(new DenoStream(conn), {
      deadlines,
      now,
      ...(replyTimeouts && { timeouts: replyTimeouts }),
    });
    this.#open = connection;
    return connection;
  }

  async #handshake(tcp: Deno.TcpConn, enter: (phase: DialPhase) => void): Promise<Deno.TlsConn> {
    enter("tls");
    // Used up by now or in an instant: disposing it again is harmless, closing it would throw.
    this.#open = tcp;
    const tls = await Deno.startTls(tcp, {
      hostname: this.#target.endpoint.hostname,
      caCerts: [...this.#target.caCerts],
    });
    this.#open = tls;
    this.#abort.signal.throwIfAborted();
    // Without this the certificate would be checked at the first read, after octets were written.
    await tls.handshake();
    return tls;
  }

  async #greet(connection: UpstreamConnection, enter: (phase: DialPhase) => void): Promise<void> {
    enter("greeting");
    requirePositive("greeting", await connection.readReply("greeting"));
  }

  async #hello(connection: UpstreamConnection, enter: (phase: DialPhase) => void): Promise<void> {
    enter("ehlo");
    const reply = await connection.command(`EHLO ${this.#options.clientName}`);
    connection.extensions = Extensions.of(requirePositive("ehlo", reply));
  }

  async #upgrade(
    tcp: Deno.TcpConn,
    plain: UpstreamConnection,
    enter: (phase: DialPhase) => void,
  ): Promise<UpstreamConnection> {
    enter("starttls");
    requirePositive("starttls", await plain.command("STARTTLS"));
    if (plain.buffered > 0) {
      throw new DialError("starttls", "the server sent octets behind its STARTTLS reply");
    }
    plain.release();
    const connection = this.#wrap(await this.#handshake(tcp, enter));
    // What was learned before TLS is void (RFC 3207 §4.2).
    await this.#hello(connection, enter);
    return connection;
  }

  #translate(error: unknown, timeoutsMs: PhaseTimeouts): unknown {
    if (this.#timedOut) {
      const isSilent = this.#phase === "greeting" && this.#target.security !== "tls";
      const hint = isSilent
        ? `; if the port speaks TLS from the first octet, set smtp_security to "tls"`
        : "";
      return new DialError(this.#phase, `no answer within ${timeoutsMs[this.#phase] / 1000} s${hint}`, {
        cause: error,
      });
    }
    if (error instanceof DialError || error instanceof RangeError) return error;
    if (error instanceof UpstreamLostError) {
      return new DialError(this.#phase, error.message, { cause: error });
    }
    const isNetwork = this.#phase === "connect" || this.#phase === "tls";
    return isNetwork && error instanceof Error
      ? new DialError(this.#phase, describe(error, this.#target), { cause: error })
      : error;
  }
}

function requirePositive(phase: DialPhase, reply: Reply): Reply {
  if (!reply.isPositive) throw new DialError(phase, reply.text(), { reply });
  return reply;
}

function describe(error: Error, { endpoint: { hostname, port } }: DialTarget): string {
  const remedy = describeTlsFault(error.message, hostname);
  return `${hostname}:${port}: ${error.message}${remedy === undefined ? "" : `: ${remedy}`}`;
}
