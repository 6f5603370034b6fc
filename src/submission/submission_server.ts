/** All listeners and their sessions. */

import type { Logger } from "@logtape/logtape";
import { cidrMatcher } from "../config/cidr.ts";
import type { ListenerSettings } from "../config/settings.ts";
import type { Reply } from "../smtp/reply.ts";
import {
  type ByteStream,
  isUpgradable,
  StreamBrokenError,
  StreamClosedError,
} from "../transport/byte_stream.ts";
import { type CertificatePair, type Listener, openListener } from "./listener.ts";
import { clientKey } from "./client_key.ts";
import { REPLIES } from "./replies.ts";
import { type CutSession, Session, type SessionContext } from "./session.ts";

export interface SubmissionServerOptions extends Omit<SessionContext, "listener"> {
  /** Told of each session that begins, and of how many are open. */
  readonly onSessions?: (
    change: { security: ListenerSettings["security"]; open: number; began: boolean },
  ) => void;
}

/** A listener with its certificate, ready to be opened. */
export interface ListenerPlan {
  readonly settings: ListenerSettings;
  readonly pair?: CertificatePair;
}

interface Opened {
  readonly listener: Listener;
  context: SessionContext;
  isAllowed: (address: string) => boolean;
  /** Connections that count for its limit: sessions, and handshakes on the way to one. */
  admitted: number;
}

/** A connection that is turned away has this long to read why. */
const REFUSAL_TIMEOUT_MS = 1_000;
const TLS_HANDSHAKE_TIMEOUT_MS = 30_000;
/** With as many handshakes under way whose only end is a refusal, the next one finds the door closed. */
const MAX_HANDSHAKES_TO_REFUSE = 50;

/** Opens, serves, drains. */
export class SubmissionServer {
  readonly #options: SubmissionServerOptions;
  readonly #log: Logger;
  #listeners: Opened[] = [];
  readonly #sessions = new Set<Session>();
  /** As `Opened.admitted`, by `clientKey`, on all listeners. */
  readonly #admittedOfClient = new Map<string, number>();
  /** Connections of implicit TLS listeners before they are sessions. */
  readonly #handshaking = new Set<ByteStream>();
  /** Connections being served, handshake and refusal included. */
  readonly #serving = new Set<Promise<void>>();
  /** Connections that are refused inside TLS. */
  #refusing = 0;
  #accepted = 0;
  #acceptFailedAtMs = -Infinity;
  #isStopping = false;

  constructor(options: SubmissionServerOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  get listeners(): readonly Listener[] {
    return this.#listeners.map(({ listener }) => listener);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get messages(): number {
    let count = 0;
    for (const session of this.#sessions) if (session.isInMessage) count++;
    return count;
  }

  /**
   * Listens as `plans` say: what stays the same stays open, with its new certificate and limits. When one can't be opened,
   * nothing has changed. A server that is closed meanwhile stays closed.
   *
   * @param options.isShared Another process of this program may have the ports, too. Default: false.
   * @throws The system's error for the listener that can't be opened.
   */
  async listen(plans: readonly ListenerPlan[], options: { readonly isShared?: boolean } = {}): Promise<void> {
    const kept = new Map<ListenerPlan, Opened>();
    for (const plan of plans) {
      const taken = new Set(kept.values());
      const same = this.#listeners.find((opened) =>
        !taken.has(opened) && isSamePlace(opened.listener.settings, plan.settings)
      );
      if (same) kept.set(plan, same);
    }
    const opened: Opened[] = [];
    try {
      for (const plan of plans) if (!kept.has(plan)) opened.push(this.#open(plan, options));
    } catch (error) {
      for (const { listener } of opened) await listener.close();
      throw error;
    }
    // `close` came first and knows nothing of these.
    if (this.#isStopping) return void await Promise.all(opened.map(({ listener }) => listener.close()));
    for (const [{ settings, pair }, same] of kept) {
      same.context = { ...this.#options, listener: settings };
      same.isAllowed = allowed(settings);
      if (pair) same.listener.useCertificate(pair);
    }
    const gone = this.#listeners.filter((listener) => ![...kept.values()].includes(listener));
    this.#listeners = [...kept.values(), ...opened];
    for (const { listener } of gone) await listener.close();
  }

  /** Accepts no more: new connections are refused at once. */
  async close(): Promise<void> {
    this.#isStopping = true;
    const listeners = this.#listeners;
    this.#listeners = [];
    await Promise.all(listeners.map(({ listener }) => listener.close()));
  }

  /**
   * Ends all sessions: 421 at once to those without a message under way, to the others after its final reply. Resolves
   * when all are over.
   */
  async drain(): Promise<void> {
    for (const session of this.#sessions) session.stop();
    for (const connection of this.#handshaking) connection.close();
    await Promise.all(this.#serving);
  }

  /**
   * The deadline has come: messages under way are dropped before their final dot.
   *
   * @param options.sparingFinalReplies Leaves those that wait for the provider's word on a complete message.
   */
  cut({ sparingFinalReplies }: { sparingFinalReplies: boolean }): CutSession[] {
    const sessions = [...this.#sessions].filter((session) =>
      !sparingFinalReplies || !session.awaitsFinalReply
    );
    return sessions.map((session) => session.cut());
  }

  /** Drops what is left, without a word. */
  closeSessions(): void {
    for (const session of this.#sessions) session.channel.close();
  }

  #open(plan: ListenerPlan, options: { readonly isShared?: boolean }): Opened {
    const opened: { value?: Opened } = {};
    const listener = openListener(plan.settings, {
      ...options,
      onConnection: (stream) => this.#accept(stream, opened.value!),
      onAcceptFailure: (error) => this.#reportAcceptFailure(error, plan.settings),
      ...(plan.pair && { pair: plan.pair }),
    });
    const context = { ...this.#options, listener: plan.settings };
    return opened.value = { listener, context, isAllowed: allowed(plan.settings), admitted: 0 };
  }

  /** Once a minute: it may fail many times a second for as long as it lasts. */
  #reportAcceptFailure(error: Error, { hostname, port }: ListenerSettings): void {
    const nowMs = this.#options.now();
    if (nowMs - this.#acceptFailedAtMs < 60_000) return;
    this.#acceptFailedAtMs = nowMs;
    this.#log.error(
      "No connection can be accepted at {place}: {error}. {sessions} sessions are open. If it lasts, raise the limit of open files (LimitNOFILE, ulimit -n) or lower max_sessions",
      { place: `${hostname}:${port}`, error: error.message, sessions: this.#sessions.size },
    );
  }

  #accept(stream: ByteStream, opened: Opened): void {
    const serving = this.#serve(stream, opened).catch((error) => {
      // One connection's defect is not to reach the others.
      this.#log.error("Connection of {client} failed: {error}", { client: stream.remoteAddress, error });
      stream.close();
    }).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  async #serve(connection: ByteStream, opened: Opened): Promise<void> {
    const isTls = opened.listener.settings.security === "tls";
    const refusal = this.#refusal(connection.remoteAddress, opened);
    if (refusal) {
      return await (isTls ? this.#refuseTls(connection, refusal) : this.#turnAway(connection, refusal));
    }
    using _place = this.#admit(connection.remoteAddress, opened);
    const stream = isTls ? await this.#handshake(connection) : connection;
    if (!stream) return;
    // A reload or a stop may have come during the handshake.
    const change = this.#isStopping ? REPLIES.shuttingDown : this.#refusal(stream.remoteAddress, opened, 1);
    if (change) return await this.#turnAway(stream, change);
    await this.#runSession(stream, opened);
  }

  /** Takes a place on the listener and one of the client, until the result is disposed. */
  #admit(address: string, opened: Opened): Disposable {
    const client = clientKey(address);
    opened.admitted++;
    this.#admittedOfClient.set(client, (this.#admittedOfClient.get(client) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        opened.admitted--;
        const left = this.#admittedOfClient.get(client)! - 1;
        if (left === 0) this.#admittedOfClient.delete(client);
        else this.#admittedOfClient.set(client, left);
      },
    };
  }

  async #runSession(stream: ByteStream, opened: Opened): Promise<void> {
    const { security } = opened.listener.settings;
    const session = new Session(stream, (++this.#accepted).toString(36).padStart(4, "0"), opened.context);
    this.#sessions.add(session);
    this.#options.onSessions?.({ security, open: this.#sessions.size, began: true });
    try {
      await session.run();
    } finally {
      this.#sessions.delete(session);
      this.#options.onSessions?.({ security, open: this.#sessions.size, began: false });
    }
  }

  /** The server's side of the handshake of an implicit TLS listener (RFC 8314 §3). */
  async #handshake(connection: ByteStream): Promise<ByteStream | undefined> {
    if (!isUpgradable(connection)) throw new TypeError("Cannot run a TLS handshake: the stream takes none");
    using deadline = this.#options.deadlines.add(() => connection.close());
    deadline.set(TLS_HANDSHAKE_TIMEOUT_MS);
    this.#handshaking.add(connection);
    try {
      return await connection.startTls();
    } catch (error) {
      if (!(error instanceof StreamBrokenError || error instanceof StreamClosedError)) throw error;
      this.#log.info("TLS handshake with {client} failed: {error}", {
        client: connection.remoteAddress,
        error: error.message,
      });
      connection.close();
      return undefined;
    } finally {
      this.#handshaking.delete(connection);
    }
  }

  /** @param own Places that the connection has taken already. */
  #refusal(client: string, opened: Opened, own = 0): Reply | undefined {
    const { maxSessions, maxSessionsPerClient } = opened.context.listener;
    if (!opened.isAllowed(client)) return REPLIES.clientNotAllowed;
    if (opened.admitted - own >= maxSessions) return REPLIES.tooManySessions;
    return (this.#admittedOfClient.get(clientKey(client)) ?? 0) - own >= maxSessionsPerClient
      ? REPLIES.tooManySessionsOfClient
      : undefined;
  }

  /**
   * A reply inside TLS costs a handshake, and up to 30 s: whoever exceeds a limit is not told why, and of those who may not
   * connect at all only a few are.
   */
  async #refuseTls(connection: ByteStream, reply: Reply): Promise<void> {
    if (reply !== REPLIES.clientNotAllowed || this.#refusing >= MAX_HANDSHAKES_TO_REFUSE) {
      this.#logRefusal(connection, reply);
      return connection.close();
    }
    this.#refusing++;
    try {
      const stream = await this.#handshake(connection);
      if (stream) await this.#turnAway(stream, reply);
    } finally {
      this.#refusing--;
    }
  }

  #logRefusal({ remoteAddress }: ByteStream, reply: Reply): void {
    this.#log.warn("Connection of {client} refused: {reply}", { client: remoteAddress, reply: reply.text() });
  }

  async #turnAway(stream: ByteStream, reply: Reply): Promise<void> {
    this.#logRefusal(stream, reply);
    const timer = setTimeout(() => stream.close(), REFUSAL_TIMEOUT_MS);
    try {
      await stream.write(reply.octets);
    } catch (error) {
      if (!(error instanceof StreamBrokenError || error instanceof StreamClosedError)) throw error;
    } finally {
      clearTimeout(timer);
      stream.close();
    }
  }
}

function allowed({ allowedClients }: ListenerSettings): (address: string) => boolean {
  return allowedClients.length === 0 ? () => true : cidrMatcher(allowedClients);
}

/** Port 0 is the same place for as long as it is asked for again. */
function isSamePlace(a: ListenerSettings, b: ListenerSettings): boolean {
  return a.hostname === b.hostname && a.port === b.port && a.security === b.security;
}
