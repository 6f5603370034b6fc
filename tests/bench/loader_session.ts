/** One SMTP client of the bench: connects, signs in, sends numbered messages. Octets in, octets out. */

import { dial, type DialOptions } from "./dial.ts";
import type { MessageTemplate } from "./message_template.ts";
import { ReplyReader } from "./reply_reader.ts";
import { writeAll } from "./write_all.ts";

/** Where and how a client connects, signs in and sends. */
export interface ClientOptions extends DialOptions {
  /** How to sign in: `xoauth2` takes `password` as the token. */
  readonly mechanism: "xoauth2" | "plain";
  readonly password: string;
  /** What to send; each session takes a copy. */
  readonly message: MessageTemplate;
  /** MAIL, RCPT and DATA as one group (RFC 2920), or each after the reply to the one before. */
  readonly pipelining: boolean;
}

/** A reply other than the one that the client can go on with. */
export class UnexpectedReplyError extends Error {
  override readonly name = "UnexpectedReplyError";
  readonly code = "UNEXPECTED_REPLY";
  /** @param line The reply's last line. */
  constructor(readonly phase: string, readonly line: string) {
    super(`Cannot complete ${phase}: the server replied "${line}"`);
  }
}

const encoder = new TextEncoder();
const QUIT = encoder.encode("QUIT\r\n");

/** A signed-in connection. */
export class LoaderSession {
  readonly #conn: Deno.Conn;
  readonly #replies: ReplyReader;
  readonly #commands: readonly Uint8Array[];
  readonly #group: Uint8Array;
  readonly #pipelining: boolean;
  readonly #message: MessageTemplate;

  private constructor(conn: Deno.Conn, user: string, options: ClientOptions) {
    this.#conn = conn;
    this.#replies = new ReplyReader(conn);
    const commands = [`MAIL FROM:<${user}>\r\n`, "RCPT TO:<sink@localhost>\r\n", "DATA\r\n"];
    this.#commands = commands.map((command) => encoder.encode(command));
    this.#group = encoder.encode(commands.join(""));
    this.#pipelining = options.pipelining;
    this.#message = options.message.copy();
  }

  /**
   * Connects and signs in as `user`.
   *
   * @throws {UnexpectedReplyError} When the server refuses.
   */
  static async open(user: string, options: ClientOptions): Promise<LoaderSession> {
    const conn = await dial(options);
    try {
      const session = new LoaderSession(conn, user, options);
      await session.#signIn(user, options);
      return session;
    } catch (error) {
      conn.close();
      throw error;
    }
  }

  /**
   * Sends one message.
   *
   * @throws {UnexpectedReplyError} When the server refuses it.
   */
  async send(number: number): Promise<void> {
    this.#message.setNumber(number);
    if (this.#pipelining) {
      await writeAll(this.#conn, this.#group);
      await this.#expect(250, "MAIL");
      await this.#expect(250, "RCPT");
      await this.#expect(354, "DATA");
    } else {
      await this.#command(0, 250);
      await this.#command(1, 250);
      await this.#command(2, 354);
    }
    for (const part of this.#message.parts) await writeAll(this.#conn, part);
    await this.#expect(250, "end of data");
  }

  /** Says QUIT, waits for the answer, closes. */
  async quit(): Promise<void> {
    try {
      await writeAll(this.#conn, QUIT);
      await this.#expect(221, "QUIT");
    } finally {
      this.close();
    }
  }

  /** Waits until the server says something unasked for or closes. @throws Always: with what ended the session. */
  async idle(): Promise<never> {
    await this.#replies.next();
    throw new UnexpectedReplyError("waiting", this.#replies.lastLine());
  }

  close(): void {
    this.#conn[Symbol.dispose]();
  }

  async #signIn(user: string, { mechanism, password }: ClientOptions): Promise<void> {
    await this.#expect(220, "the greeting");
    await this.#say("EHLO loader.localhost", 250);
    if (mechanism === "plain") await this.#say(`AUTH PLAIN ${btoa(`\0${user}\0${password}`)}`, 235);
    if (mechanism === "xoauth2") {
      await this.#say("AUTH XOAUTH2", 334);
      await this.#say(btoa(`user=${user}\x01auth=Bearer ${password}\x01\x01`), 235);
    }
  }

  async #say(line: string, code: number): Promise<void> {
    await writeAll(this.#conn, encoder.encode(line + "\r\n"));
    await this.#expect(code, line.split(" ", 1)[0] ?? line);
  }

  async #command(index: number, code: number): Promise<void> {
    await writeAll(this.#conn, this.#commands[index]!);
    await this.#expect(code, "a command");
  }

  async #expect(code: number, phase: string): Promise<void> {
    const actual = this.#replies.take() || await this.#replies.next();
    if (actual !== code) throw new UnexpectedReplyError(phase, this.#replies.lastLine());
  }
}
