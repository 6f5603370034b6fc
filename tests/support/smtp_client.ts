/** An SMTP client for tests: says and hears exactly what it is told, and fails with the transcript so far. */

import { Buffer } from "node:buffer";
import { parseDialog } from "./dialog.ts";

/** Where and how to connect. */
export interface SmtpTestClientOptions {
  /** Default: 127.0.0.1. */
  readonly hostname?: string;
  readonly port: number;
  /** CA certificate (PEM) to trust: implicit TLS. Absent: plain TCP. */
  readonly tls?: { readonly caCertificate: string; readonly hostname?: string };
  /** Longest wait of any single step. Default: 20,000, since a machine may be busy with other tests. */
  readonly deadlineMs?: number;
}

/**
 * How octets are cut into TCP segments: all in one, one each, or at random places that `seed` decides.
 * Nagle's algorithm is off; the kernel may still join segments that the peer reads late.
 */
export type Segmentation = "whole" | "octets" | { readonly seed: number };

/** How the peer ended the connection. */
export type ConnectionEnd = "closed" | "reset";

/** One connection. Dispose it to close. */
export class SmtpTestClient implements Disposable {
  #connection: Deno.TcpConn | Deno.TlsConn;
  readonly #deadlineMs: number;
  readonly #transcript: string[] = [];
  #received = Buffer.alloc(0);
  #end: ConnectionEnd | undefined;

  private constructor(connection: Deno.TcpConn | Deno.TlsConn, deadlineMs: number) {
    this.#connection = connection;
    this.#deadlineMs = deadlineMs;
  }

  /** Connects, and shakes hands where TLS is asked for. Doesn't read the greeting. */
  static async connect(options: SmtpTestClientOptions): Promise<SmtpTestClient> {
    const { hostname = "127.0.0.1", port, tls, deadlineMs = 20_000 } = options;
    const connection = await Deno.connect({ hostname, port });
    connection.setNoDelay(true);
    const client = new SmtpTestClient(connection, deadlineMs);
    try {
      if (tls) await client.startTls(tls);
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
    return client;
  }

  /** Everything said and heard: `C:` and `S:` lines. */
  get transcript(): string {
    return this.#transcript.join("\n");
  }

  /** Local port, by which a server's log tells clients apart. */
  get localPort(): number {
    return (this.#connection.localAddr as Deno.NetAddr).port;
  }

  /** Sends `line` and CRLF. */
  async writeln(line: string): Promise<void> {
    this.#transcript.push(`C: ${line}`);
    await this.#writeAll(Buffer.from(`${line}\r\n`));
  }

  /** Sends octets as they are; a string is sent as UTF-8. */
  async write(octets: Uint8Array | string, segmentation: Segmentation = "whole"): Promise<void> {
    const bytes = Buffer.from(octets as Uint8Array);
    this.#transcript.push(
      `C: <${bytes.length} octets> ${JSON.stringify(bytes.subarray(0, 60).toString("latin1"))}`,
    );
    let start = 0;
    for (const end of segmentEnds(bytes.length, segmentation)) {
      await this.#writeAll(bytes.subarray(start, end));
      start = end;
    }
  }

  /** The next line, without CRLF. @throws {Error} With the transcript, at the deadline or the connection's end. */
  async readLine(): Promise<string> {
    let end: number;
    while ((end = this.#received.indexOf("\r\n")) < 0) {
      if (!await this.#fill()) throw this.#failure(`a line was awaited, but the connection is ${this.#end}`);
    }
    const line = this.#received.toString("utf8", 0, end);
    this.#received = this.#received.subarray(end + 2);
    this.#transcript.push(`S: ${line}`);
    return line;
  }

  /** All lines of the next reply (RFC 5321 §4.2.1), without CRLF. */
  async readReply(): Promise<string[]> {
    const lines = [];
    do lines.push(await this.readLine()); while (lines.at(-1)?.[3] === "-");
    return lines;
  }

  /**
   * Reads a reply and compares its last line.
   *
   * @param pattern A regular expression, or text in which `*` stands for anything.
   * @returns The reply's lines.
   */
  async expect(pattern: string | RegExp): Promise<string[]> {
    const reply = await this.readReply();
    if (!matches(reply.at(-1) ?? "", pattern)) throw this.#failure(`${describe(pattern)} was awaited`);
    return reply;
  }

  /** Sends a command and compares its reply's last line. */
  async command(line: string, pattern: string | RegExp): Promise<string[]> {
    await this.writeln(line);
    return await this.expect(pattern);
  }

  /**
   * Plays a dialog: `C:` lines are sent, `S:` lines awaited, `*` stands for anything. `S: 250-…` awaits just one
   * line of a reply, `S: 250 …` skips to its last, `S: <end>` awaits the connection's end.
   */
  async dialog(strings: TemplateStringsArray, ...values: unknown[]): Promise<void> {
    for (const step of parseDialog(String.raw({ raw: strings }, ...values))) {
      if (step.from === "client") await this.writeln(step.text);
      else if (step.text === "<end>") await this.expectEnd();
      else if (step.text[3] === "-") await this.#expectLine(step.text);
      else await this.expect(step.text);
    }
  }

  /** Signs in with AUTH PLAIN (RFC 4616) and awaits 235. */
  async authPlain(username: string, password: string): Promise<void> {
    await this.command(`AUTH PLAIN ${btoa(`\0${username}\0${password}`)}`, "235 *");
  }

  /** Greets, upgrades by STARTTLS and greets again. */
  async openSecurely(tls: { caCertificate: string; hostname?: string }): Promise<void> {
    await this.expect("220 *");
    await this.command("EHLO client.example", "250 *");
    await this.command("STARTTLS", "220 *");
    await this.startTls(tls);
    await this.command("EHLO client.example", "250 *");
  }

  /** Shows an access token by AUTH XOAUTH2, in two steps. @returns The reply's last line. */
  async authXoauth2(user: string, accessToken: string): Promise<string> {
    await this.command("AUTH XOAUTH2", "334 ");
    await this.writeln(btoa(`user=${user}\x01auth=Bearer ${accessToken}\x01\x01`));
    return (await this.readReply()).at(-1) ?? "";
  }

  /** Sends one whole transaction whose data already has its dots stuffed; returns the final reply's last line. */
  async send(message: { from: string; to: readonly string[]; data: Uint8Array | string }): Promise<string> {
    await this.command(`MAIL FROM:<${message.from}>`, "250 *");
    for (const recipient of message.to) await this.command(`RCPT TO:<${recipient}>`, "250 *");
    await this.command("DATA", "354 *");
    await this.write(message.data);
    await this.write("\r\n.\r\n");
    return (await this.readReply()).at(-1) ?? "";
  }

  /** Upgrades after a 220 to STARTTLS. @throws {Deno.errors.InvalidData} If the certificate is refused. */
  async startTls(tls: { caCertificate: string; hostname?: string }): Promise<void> {
    const { caCertificate, hostname = "localhost" } = tls;
    const plain = this.#connection as Deno.TcpConn;
    const secured = await Deno.startTls(plain, { hostname, caCerts: [caCertificate] });
    this.#connection = secured;
    await this.#bounded(secured.handshake(), "TLS handshake");
    this.#transcript.push("-- TLS --");
  }

  /** Reads to the connection's end. @throws {Error} With the transcript, if something else comes first. */
  async expectEnd(): Promise<ConnectionEnd> {
    if (await this.#fill() || this.#received.length > 0) {
      throw this.#failure(
        `the end was awaited, but came ${JSON.stringify(this.#received.toString("latin1"))}`,
      );
    }
    this.#transcript.push(`S: <${this.#end}>`);
    return this.#end ?? "closed";
  }

  /** Ends the sending direction; replies can still be read. */
  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  async #expectLine(pattern: string): Promise<void> {
    if (!matches(await this.readLine(), pattern)) throw this.#failure(`${describe(pattern)} was awaited`);
  }

  async #fill(): Promise<boolean> {
    if (this.#end) return false;
    const chunk = new Uint8Array(16_384);
    try {
      const octets = await this.#bounded(this.#connection.read(chunk), "reply");
      if (octets === null) this.#end = "closed";
      else this.#received = Buffer.concat([this.#received, chunk.subarray(0, octets)]);
    } catch (error) {
      this.#end = endOf(error);
    }
    return this.#end === undefined;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#bounded(this.#connection.write(bytes.subarray(sent)), "room to write");
    }
  }

  /** Closing the connection is what ends a pending operation at the deadline. */
  async #bounded<T>(operation: Promise<T>, what: string): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#connection[Symbol.dispose]();
    }, this.#deadlineMs);
    try {
      return await operation;
    } catch (error) {
      throw late ? this.#failure(`no ${what} within ${this.#deadlineMs} ms`) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(what: string): Error {
    return new Error(`SMTP dialog failed: ${what}\n${this.transcript}`);
  }
}

/** @throws The error itself when it doesn't tell of the connection's end. */
function endOf(error: unknown): ConnectionEnd {
  if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return "reset";
  if (error instanceof Deno.errors.UnexpectedEof) return "closed"; // TCP FIN without TLS close_notify
  throw error;
}

function matches(line: string, pattern: string | RegExp): boolean {
  if (pattern instanceof RegExp) return pattern.test(line);
  const parts = pattern.split("*").map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join(".*")}$`).test(line);
}

function describe(pattern: string | RegExp): string {
  return pattern instanceof RegExp ? String(pattern) : JSON.stringify(pattern);
}

function* segmentEnds(length: number, segmentation: Segmentation): Generator<number> {
  if (segmentation === "whole") return yield length;
  let state = segmentation === "octets" ? 0 : segmentation.seed >>> 0;
  for (let end = 0; end < length;) {
    // Linear congruential generator (Numerical Recipes): repeatable is all that it has to be.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    end = Math.min(length, end + (segmentation === "octets" ? 1 : 1 + (state >>> 16) % 64));
    yield end;
  }
}
