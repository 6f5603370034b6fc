/** The scripted upstream's side of one connection: an SMTP server of the plainest sort, with a script looking on. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { CertificateAndKey } from "../../src/sandbox/certificates.ts";
import { EndOfDataScanner } from "./end_of_data.ts";
import type { ScriptedUpstreamOptions } from "./upstream_options.ts";
import { type ConnectionRecord, TransactionRecord } from "./upstream_record.ts";
import type { Action, Phase, UpstreamScript } from "./upstream_script.ts";
import { DialogueEnd, UpstreamTransport } from "./upstream_transport.ts";

/** What a session needs of the upstream that it belongs to. */
export interface UpstreamHost {
  readonly options: ScriptedUpstreamOptions;
  readonly script: UpstreamScript;
  readonly certificate: CertificateAndKey;
  /** Whether one more connection of `user` may go on at this command. */
  admits(user: string, at: "AUTH" | "MAIL"): boolean;
  /** A mailbox has signed in. */
  signedIn(mailbox: string): void;
  /** A message has been accepted. */
  accepted(transaction: TransactionRecord): void;
  /** A phase has been reached. */
  reached(phase: Phase): void;
  /** Something that a test may wait for has happened. */
  changed(): void;
  /** The upstream itself is at fault. */
  failed(error: unknown): void;
}

const VERBS: ReadonlySet<string> = new Set([
  "EHLO",
  "STARTTLS",
  "AUTH",
  "MAIL",
  "RCPT",
  "DATA",
  "BDAT",
  "RSET",
  "NOOP",
  "QUIT",
]);

/** One connection's dialogue. `run` never rejects. */
export class UpstreamSession {
  readonly record: ConnectionRecord;
  readonly #upstream: UpstreamHost;
  readonly #transport: UpstreamTransport;
  #transaction: TransactionRecord | undefined;
  /** A command is being waited for. */
  #waiting = false;

  constructor(socket: Socket, deps: { upstream: UpstreamHost; record: ConnectionRecord }) {
    this.#upstream = deps.upstream;
    this.record = deps.record;
    this.#transport = new UpstreamTransport(socket);
  }

  /** Between transactions, with nothing to answer. */
  get idle(): boolean {
    return this.record.open && this.#waiting && this.#transaction === undefined;
  }

  /** Serves the connection to its end. */
  async run(): Promise<void> {
    try {
      await this.#serve();
      await this.#transport.end("close");
    } catch (error) {
      if (!(error instanceof DialogueEnd) && !this.#transport.closed) this.#upstream.failed(error);
    }
    await this.#transport.untilClosed();
    this.#finish("abandoned");
    this.record.open = false;
    this.#upstream.changed();
  }

  /** Ends the connection from outside the dialogue; `421` says so first. */
  interrupt(how: "close" | "reset" | "421"): void {
    this.#transport.interrupt(how);
  }

  /** Drops the connection. */
  destroy(): void {
    this.#transport.destroy();
  }

  async #serve(): Promise<void> {
    const { security, hostname } = this.#upstream.options;
    await this.#intervene("connect");
    if (security === "tls") await this.#secure();
    await this.#answer("greeting", `220 ${hostname} ESMTP`);
    for (let line = await this.#readCommand(); line !== null; line = await this.#readCommand()) {
      if (await this.#execute(line)) return;
    }
  }

  async #readCommand(): Promise<string | null> {
    this.#waiting = true;
    this.#upstream.changed();
    const octets = await this.#transport.readLine();
    this.#waiting = false;
    if (octets === null) return null;
    if (octets.length === 1) return await this.#readCommand(); // what "CRLF.CR" leaves of a CRLF
    this.record.commands.push(octets);
    return octets.toString("latin1").replace(/\r?\n$/, "");
  }

  /** @returns True when the dialogue is over. */
  async #execute(line: string): Promise<boolean> {
    const word = (line.split(" ", 1)[0] ?? "").toUpperCase();
    const verb = (VERBS.has(word) ? word : "unknown") as Phase;
    switch (verb) {
      case "EHLO":
        await this.#answer(verb, this.#ehloReply(), { line });
        break;
      case "STARTTLS":
        await this.#startTls(line);
        break;
      case "AUTH":
        await this.#authenticate(line);
        break;
      case "MAIL":
        await this.#mail(line);
        break;
      case "RCPT":
        await this.#rcpt(line);
        break;
      case "DATA":
        await this.#data(line);
        break;
      case "BDAT":
        await this.#bdat(line);
        break;
      case "RSET":
        this.#finish("abandoned");
        await this.#answer(verb, "250 2.0.0 OK", { line });
        break;
      case "QUIT":
        this.record.quit = true;
        await this.#answer(verb, "221 2.0.0 Bye", { line });
        return true;
      default:
        await this.#answer(verb, verb === "NOOP" ? "250 2.0.0 OK" : "500 5.5.1 Unknown command", { line });
    }
    return false;
  }

  #ehloReply(): string[] {
    const { security, hostname, extensions, mechanisms } = this.#upstream.options;
    const lines = [`${hostname} at your service`, ...extensions];
    if (security === "starttls" && !this.record.secure) lines.push("STARTTLS");
    // Microsoft 365 offers AUTH inside TLS only.
    if (this.record.secure || security === "none") lines.push(`AUTH ${mechanisms.join(" ")}`);
    return lines.map((text, index) => `250${index < lines.length - 1 ? "-" : " "}${text}`);
  }

  async #startTls(line: string): Promise<void> {
    if (isPositive(await this.#answer("STARTTLS", "220 2.0.0 Ready to start TLS", { line }))) {
      await this.#secure();
    }
  }

  async #secure(): Promise<void> {
    await this.#intervene("tls");
    this.record.clearTextBehindStartTls = await this.#transport.secure(this.#upstream.certificate);
    this.record.secure = true;
  }

  async #authenticate(line: string): Promise<void> {
    const [, mechanism = "", initialResponse] = line.split(" ");
    if (await this.#intervene("AUTH", { line }) !== undefined) return;
    let response = initialResponse ?? "";
    if (initialResponse === undefined) {
      this.#transport.send("334 ");
      response = await this.#readResponse();
    }
    const { user, accessToken } = decodeBearer(Buffer.from(response, "base64").toString());
    this.record.accessToken = accessToken;
    const allowed = this.#upstream.options.accepts(user, accessToken);
    const atLimit = allowed && !this.#upstream.admits(user, "AUTH");
    if (!allowed && this.#upstream.options.refusalStyle === "google") {
      return await this.#refuseInTwoSteps(mechanism, line);
    }
    const reply = await this.#answer(
      "authResponse",
      atLimit ? LIMIT_REPLY : allowed ? "235 2.7.0 Accepted" : REFUSAL,
      { line },
    );
    if (isPositive(reply)) {
      this.record.mailbox = user.toLowerCase();
      this.#upstream.signedIn(this.record.mailbox);
    }
    this.#upstream.changed();
  }

  async #readResponse(): Promise<string> {
    const octets = await this.#transport.readLine();
    if (octets === null) throw new DialogueEnd();
    this.record.commands.push(octets);
    return octets.toString("latin1").trim();
  }

  /** A challenge that tells the cause; the refusal follows the client's empty (OAUTHBEARER: 0x01) answer. */
  async #refuseInTwoSteps(mechanism: string, line: string): Promise<void> {
    const cause = mechanism.toUpperCase() === "OAUTHBEARER"
      ? { status: "invalid_token", scope: "mail" }
      : { status: "400", schemes: "Bearer", scope: "https://mail.google.com/" };
    if (await this.#intervene("authResponse", { line }) !== undefined) return;
    this.#transport.send(`334 ${btoa(JSON.stringify(cause))}`);
    await this.#readResponse();
    this.#transport.send("535 5.7.8 Username and Password not accepted");
  }

  async #mail(line: string): Promise<void> {
    const user = this.record.mailbox;
    const reply = user === undefined && this.#upstream.options.requiresAuth
      ? "530 5.7.0 Authentication Required"
      : this.#transaction
      ? "503 5.5.1 Nested MAIL command"
      : user !== undefined && !this.#upstream.admits(user, "MAIL")
      ? LIMIT_REPLY
      : "250 2.1.0 OK";
    const transaction = this.#transaction ?? new TransactionRecord(this.record, pathIn(line));
    if (!isPositive(await this.#answer("MAIL", reply, { line }))) return;
    transaction.commands.push(this.record.commands.at(-1)!);
    if (!this.#transaction) this.record.transactions.push(transaction);
    this.#transaction = transaction;
  }

  async #rcpt(line: string): Promise<void> {
    const transaction = this.#transaction;
    const reply = await this.#answer("RCPT", transaction ? "250 2.1.5 OK" : "503 5.5.1 MAIL first", { line });
    transaction?.commands.push(this.record.commands.at(-1)!);
    if (isPositive(reply)) transaction?.forwardPaths.push(pathIn(line));
  }

  async #data(line: string): Promise<void> {
    const transaction = this.#transaction;
    const ready = transaction !== undefined && transaction.forwardPaths.length > 0;
    transaction?.commands.push(this.record.commands.at(-1)!);
    const reply = await this.#answer("DATA", ready ? "354 Go ahead" : "503 5.5.1 RCPT first", { line });
    if (!transaction || !reply.startsWith("3")) return;
    await this.#receiveBody(transaction);
    await this.#concludeData(transaction);
  }

  async #receiveBody(transaction: TransactionRecord): Promise<void> {
    const scanner = new EndOfDataScanner(this.#upstream.options.endOfData);
    for (;;) {
      const chunk = await this.#transport.readSome();
      const end = scanner.push(chunk);
      transaction.addBody(chunk.subarray(0, end ?? chunk.length), this.#upstream.options.keepBodies);
      this.#upstream.changed();
      await this.#intervene("body");
      if (end === undefined) continue;
      this.#transport.unread(chunk.subarray(end));
      return;
    }
  }

  async #concludeData(transaction: TransactionRecord): Promise<void> {
    // The entry comes before the reply: whoever has read the reply finds the message.
    const reply = `250 2.0.0 OK ${this.record.number}-${this.record.transactions.length}`;
    const sent = await this.#answer("finalDot", reply, {
      beforeSending: (text) => {
        transaction.finalReply = text;
        this.#finish(isPositive(text) ? "accepted" : "refused");
        if (isPositive(text)) this.#upstream.accepted(transaction);
      },
    });
    if (!isPositive(sent)) this.#finish("refused");
    this.#upstream.changed();
  }

  /** BDAT (RFC 3030 §2): the octets are counted, so there is no end to look for. */
  async #bdat(line: string): Promise<void> {
    const [, size = "0", last] = line.split(" ");
    const transaction = this.#transaction;
    for (let left = Number(size); left > 0;) {
      const chunk = await this.#transport.readSome(left);
      left -= chunk.length;
      transaction?.addBody(chunk, this.#upstream.options.keepBodies);
    }
    if (!transaction) return void await this.#answer("BDAT", "503 5.5.1 RCPT first", { line });
    if (last) return await this.#concludeData(transaction);
    await this.#answer("BDAT", `250 2.0.0 ${size} octets received`, { line });
  }

  #finish(outcome: TransactionRecord["outcome"]): void {
    if (this.#transaction) this.#transaction.outcome = outcome;
    this.#transaction = undefined;
  }

  /** @returns What was sent by the script in place of the default; undefined: nothing, go on. */
  async #intervene(phase: Phase, options: AnswerOptions = {}): Promise<string | undefined> {
    const event = { phase, line: options.line, connection: this.record, transaction: this.#transaction };
    const action: Action | undefined = this.#upstream.script.take(event, this.#transaction?.bodyOctets);
    this.#upstream.reached(phase);
    return action === undefined ? undefined : await this.#transport.perform(action, options.beforeSending);
  }

  /** @returns The reply that was sent: the script's, else the default. */
  async #answer(
    phase: Phase,
    reply: string | readonly string[],
    options: AnswerOptions = {},
  ): Promise<string> {
    const scripted = await this.#intervene(phase, options);
    if (scripted !== undefined) return scripted;
    const text = [reply].flat().join("\r\n");
    options.beforeSending?.(text);
    this.#transport.send(text);
    return text;
  }
}

interface AnswerOptions {
  readonly line?: string;
  readonly beforeSending?: (text: string) => void;
}

const LIMIT_REPLY =
  "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.";
const REFUSAL = "535 5.7.3 Authentication unsuccessful [upstream.test]";

function isPositive(reply: string): boolean {
  return reply.startsWith("2");
}

function pathIn(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? "";
}

/** Reads an XOAUTH2 or OAUTHBEARER (RFC 7628 §3.1) response. */
function decodeBearer(response: string): { user: string; accessToken: string } {
  const fields = response.split("\x01");
  const accessToken =
    fields.find((field) => field.startsWith("auth=Bearer "))?.slice("auth=Bearer ".length) ?? "";
  const user = fields.find((field) => field.startsWith("user="))?.slice("user=".length) ??
    /^n,a=([^,]*),$/.exec(fields[0] ?? "")?.[1]?.replaceAll("=2C", ",").replaceAll("=3D", "=") ?? "";
  return { user, accessToken };
}
