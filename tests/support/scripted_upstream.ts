/**
 * A mail submission server for tests that can be told to misbehave at any point, and keeps every octet it was sent.
 *
 * Raw node sockets rather than smtp-server, whose parser and replies couldn't be bent so far; and node rather than
 * Deno sockets, because only these can be upgraded by STARTTLS on the server's side.
 */

import net, { type AddressInfo, type Socket } from "node:net";
import type { CertificateAndKey } from "../../src/sandbox/certificates.ts";
import { createTestCertificates, type TestCertificates } from "./certificates.ts";
import type { ScriptedUpstreamOptions } from "./upstream_options.ts";
import { ConnectionRecord, type TransactionRecord } from "./upstream_record.ts";
import { type ActionFilter, type ActionSource, type Phase, UpstreamScript } from "./upstream_script.ts";
import { type UpstreamHost, UpstreamSession } from "./upstream_session.ts";

/** Longest wait of `waitFor`, after which a test fails rather than hangs. */
const WAIT_DEADLINE_MS = 10_000;

/** A running upstream. Dispose it to end it with all its connections. */
export class ScriptedUpstream implements AsyncDisposable {
  readonly options: ScriptedUpstreamOptions;
  readonly script = new UpstreamScript();
  /** What clients are to trust. */
  readonly caCertificate: string;
  /** What the next handshake shows; set it to another leaf of `certificates` to have clients refuse it. */
  certificate: CertificateAndKey;
  readonly certificates: TestCertificates;
  /** Every connection so far. */
  readonly connections: ConnectionRecord[] = [];
  /** Accepted messages in order of their final replies. */
  readonly messages: TransactionRecord[] = [];
  /** Errors of the upstream itself, thrown at disposal. */
  readonly failures: unknown[] = [];
  /** Most connections that were open at once. */
  highestOpenConnections = 0;
  readonly #sessions = new Map<UpstreamSession, Promise<void>>();
  readonly #passages = new Map<Phase, number>();
  readonly #watchers = new Set<() => void>();
  readonly #highestByMailbox = new Map<string, number>();
  readonly #hostOfSessions: UpstreamHost;
  #server: net.Server | undefined;
  #port = 0;

  private constructor(options: ScriptedUpstreamOptions, certificates: TestCertificates) {
    this.options = options;
    this.certificates = certificates;
    this.caCertificate = certificates.caCertificate;
    this.certificate = certificates.leaf;
    this.#hostOfSessions = this.#createHost();
  }

  /** Starts an upstream on 127.0.0.1. */
  static async start(options: Partial<ScriptedUpstreamOptions> = {}): Promise<ScriptedUpstream> {
    const certificates = options.certificates ?? await createTestCertificates();
    const upstream = new ScriptedUpstream({
      security: "starttls",
      hostname: "upstream.test",
      extensions: ["SIZE 35882577", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"],
      mechanisms: ["XOAUTH2"],
      requiresAuth: true,
      accepts: () => true,
      refusalStyle: "google",
      endOfData: "strict",
      keepBodies: true,
      ...options,
    }, certificates);
    await upstream.acceptConnections();
    return upstream;
  }

  /** Where it listens. */
  get endpoint(): { hostname: string; port: number } {
    return { hostname: "127.0.0.1", port: this.#port };
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#sessions.size;
  }

  /** Connections that are open now and signed in as `mailbox`. */
  openConnectionsOf(mailbox: string): number {
    return this.connections.filter((connection) =>
      connection.open && connection.mailbox === mailbox.toLowerCase()
    ).length;
  }

  /** Most connections that were signed in as `mailbox` at once. */
  highestOpenConnectionsOf(mailbox: string): number {
    return this.#highestByMailbox.get(mailbox.toLowerCase()) ?? 0;
  }

  /** How often a phase has been passed, or entered and not left. */
  passages(phase: Phase): number {
    return this.#passages.get(phase) ?? 0;
  }

  /** Puts an action at every passage of a phase. */
  always(phase: Phase, source: ActionSource, filter?: ActionFilter): void {
    this.script.always(phase, source, filter);
  }

  /** Puts an action at the next passage of a phase. */
  once(phase: Phase, source: ActionSource, filter?: ActionFilter): void {
    this.script.once(phase, source, filter);
  }

  /**
   * Resolves when `condition` holds; it is looked at whenever something has happened here.
   *
   * @throws {Error} That names `what`, after 10 seconds.
   */
  async waitFor(condition: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => condition() && resolve();
    const timer = setTimeout(
      () => reject(new Error(`The upstream waited in vain for ${what}`)),
      WAIT_DEADLINE_MS,
    );
    this.#watchers.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /**
   * Listens again, at the same port: as soon as that is free, since a connection of another test may have been given it
   * meanwhile.
   */
  async acceptConnections(): Promise<void> {
    const endMs = performance.now() + WAIT_DEADLINE_MS;
    for (;;) {
      try {
        return await this.#listen();
      } catch (error) {
        const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
        if (!isTaken || performance.now() > endMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #listen(): Promise<void> {
    const server = net.createServer((socket) => this.#onConnection(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: this.#port, host: "127.0.0.1", backlog: 1024 }, resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Stops listening, so that connecting is refused; open connections stay. */
  refuseConnections(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Ends every connection between transactions by FIN, RST or a 421. @returns How many those were. */
  endIdleConnections(how: "close" | "reset" | "421"): number {
    const idle = [...this.#sessions.keys()].filter((session) => session.idle);
    idle.forEach((session) => session.interrupt(how));
    return idle.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuseConnections();
    for (const session of this.#sessions.keys()) session.destroy();
    await Promise.all(this.#sessions.values());
    if (this.failures.length > 0) throw new AggregateError(this.failures, "The scripted upstream failed");
  }

  #createHost(): UpstreamHost {
    const certificate = () => this.certificate;
    return {
      options: this.options,
      script: this.script,
      get certificate() {
        return certificate();
      },
      admits: (user, at) => this.#admits(user, at),
      signedIn: (mailbox) => {
        const open = this.openConnectionsOf(mailbox);
        this.#highestByMailbox.set(mailbox, Math.max(open, this.highestOpenConnectionsOf(mailbox)));
      },
      accepted: (transaction) => this.messages.push(transaction),
      reached: (phase) => {
        this.#passages.set(phase, this.passages(phase) + 1);
        this.#changed();
      },
      changed: () => this.#changed(),
      failed: (error) => this.failures.push(error),
    };
  }

  #admits(user: string, at: "AUTH" | "MAIL"): boolean {
    const limit = this.options.connectionLimit;
    if (limit?.at !== at) return true;
    // At MAIL the connection itself is among those counted.
    return this.openConnectionsOf(user) < limit.perMailbox + (at === "MAIL" ? 1 : 0);
  }

  #changed(): void {
    for (const look of this.#watchers) look();
  }

  #onConnection(socket: Socket): void {
    const record = new ConnectionRecord(this.connections.length + 1, socket.remotePort ?? 0);
    const session = new UpstreamSession(socket, { upstream: this.#hostOfSessions, record });
    this.connections.push(record);
    const ended = session.run().finally(() => {
      this.#sessions.delete(session);
      this.#changed();
    });
    this.#sessions.set(session, ended);
    this.highestOpenConnections = Math.max(this.highestOpenConnections, this.#sessions.size);
    this.#changed();
  }
}
