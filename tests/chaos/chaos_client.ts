/** A sender of the awkward kind: it drops, half-closes, dawdles and pipelines, and sends again what was not acknowledged. */

import { SmtpTestClient } from "../support/smtp_client.ts";
import { type Attempt, type ChaosLedger, isAcknowledged } from "./chaos_ledger.ts";
import { type ChaosMessage, createMessage } from "./chaos_message.ts";
import type { Random } from "./random.ts";
import type { RestartableDaemon } from "./restartable_daemon.ts";

/** Who sends, to whom, and how badly. */
export interface ChaosClientOptions {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly daemon: RestartableDaemon;
  readonly caCertificate: string;
  readonly ledger: ChaosLedger;
  readonly random: Random;
}

type Style = "in step" | "pipelined" | "in pieces";
type DropPoint = "greeting" | "hello" | "signed in" | "mail" | "rcpt" | "data" | "body" | "dot";

/** How one connection is to be mistreated. */
interface Plan {
  readonly style: Style;
  readonly dropsAt?: DropPoint;
  readonly halfCloses: boolean;
}

/** Thrown where the plan says that the client leaves. */
class Departure extends Error {}

/** Sends until it is stopped. */
export class ChaosClient {
  readonly #options: ChaosClientOptions;
  readonly #stop: AbortSignal;
  #number = 0;
  #pending: ChaosMessage | undefined;
  /** Connections by what ended them. */
  readonly endings = new Map<string, number>();

  constructor(options: ChaosClientOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
  }

  /** Runs until the signal aborts; never rejects. */
  async run(): Promise<void> {
    while (!this.#stop.aborted) {
      await this.#connectOnce(this.#plan());
      await pause(this.#options.random.integer(1, 40));
    }
  }

  /** Sends one message without mischief. @returns Whether it was acknowledged. */
  async sendPlainly(): Promise<boolean> {
    const before = this.#options.ledger.attempts.length;
    await this.#connectOnce({ style: "in step", halfCloses: false }, { messages: 1 });
    return this.#options.ledger.attempts.slice(before).some((attempt) =>
      attempt.message.from === this.#options.email && isAcknowledged(attempt)
    );
  }

  #plan(): Plan {
    const { random } = this.#options;
    const points = ["greeting", "hello", "signed in", "mail", "rcpt", "data", "body", "dot"] as const;
    return {
      style: random.pick<Style>(["in step", "pipelined", "in pieces"]),
      halfCloses: random.chance(0.05),
      ...(random.chance(0.15) && { dropsAt: random.pick<DropPoint>(points) }),
    };
  }

  async #connectOnce(plan: Plan, { messages }: { messages?: number } = {}): Promise<void> {
    const { daemon, random } = this.#options;
    const index = random.integer(0, 2);
    const listener = daemon.listeners[index];
    if (!listener) return void await pause(20);
    try {
      const tls = { caCertificate: this.#options.caCertificate };
      using client = await SmtpTestClient.connect({ ...listener, deadlineMs: 3_000 });
      // Not in `connect`, which leaves a connection open whose handshake fails.
      if (index === 2) await client.startTls(tls);
      if (index === 1) await client.openSecurely(tls);
      else await this.#greet(client, plan);
      await this.#converse(client, { plan, messages: messages ?? random.integer(1, 8) });
      this.#count("quit");
    } catch (error) {
      this.#count(error instanceof Departure ? "left" : describe(error));
    }
  }

  async #greet(client: SmtpTestClient, plan: Plan): Promise<void> {
    await client.expect("220 *");
    leaveAt("greeting", plan);
    await client.command("EHLO chaos.example", "250 *");
    leaveAt("hello", plan);
  }

  async #converse(
    client: SmtpTestClient,
    { plan, messages }: { plan: Plan; messages: number },
  ): Promise<void> {
    const { email, password, random } = this.#options;
    await client.authPlain(email, password);
    leaveAt("signed in", plan);
    for (let sent = 0; sent < messages; sent++) {
      const message = this.#pending ??= this.#newMessage();
      const attempt = this.#options.ledger.begin(message, this.#options.daemon.incarnation);
      try {
        await this.#send(client, { attempt, plan });
      } finally {
        // Some senders try the same message again, some give up: what is bounced or dropped is the sender's affair.
        if (isAcknowledged(attempt) || random.chance(0.3)) this.#pending = undefined;
      }
      if (random.chance(0.05)) await client.command("RSET", "250 *");
    }
    await client.command("QUIT", "221 *");
  }

  #newMessage(): ChaosMessage {
    const { name, email, random } = this.#options;
    return createMessage(`${name}-${++this.#number}`, { from: email, random });
  }

  async #send(client: SmtpTestClient, { attempt, plan }: { attempt: Attempt; plan: Plan }): Promise<void> {
    const isReady = plan.style === "pipelined"
      ? await this.#pipeline(client, { attempt, plan })
      : await this.#inStep(client, { attempt, plan });
    if (!isReady) return;
    leaveAt("data", plan);
    await this.#sendBody(client, { attempt, plan });
    leaveAt("dot", plan);
    attempt.finalReply = (await client.readReply()).at(-1)!;
    if (plan.halfCloses) throw new Departure();
  }

  /** @returns Whether the body may follow. */
  async #inStep(
    client: SmtpTestClient,
    { attempt, plan }: { attempt: Attempt; plan: Plan },
  ): Promise<boolean> {
    const { message } = attempt;
    await client.writeln(`MAIL FROM:<${message.from}> BODY=8BITMIME`);
    leaveAt("mail", plan);
    if (!isPositive(await client.readReply())) return false;
    for (const path of message.to) {
      await client.writeln(`RCPT TO:<${path}>`);
      leaveAt("rcpt", plan);
      if (isPositive(await client.readReply())) attempt.acceptedRecipients.push(path);
    }
    await client.writeln("DATA");
    return isGoAhead(await client.readReply());
  }

  /** RFC 2920 §3.1. @returns Whether the body may follow. */
  async #pipeline(
    client: SmtpTestClient,
    { attempt, plan }: { attempt: Attempt; plan: Plan },
  ): Promise<boolean> {
    const { message } = attempt;
    const rcpts = message.to.map((path) => `RCPT TO:<${path}>\r\n`).join("");
    await client.write(`MAIL FROM:<${message.from}> BODY=8BITMIME\r\n${rcpts}DATA\r\n`);
    leaveAt("mail", plan);
    await client.readReply();
    for (const path of message.to) {
      if (isPositive(await client.readReply())) attempt.acceptedRecipients.push(path);
    }
    return isGoAhead(await client.readReply());
  }

  async #sendBody(
    client: SmtpTestClient,
    { attempt, plan }: { attempt: Attempt; plan: Plan },
  ): Promise<void> {
    const { random } = this.#options;
    const { wire } = attempt.message;
    const cut = plan.dropsAt === "body" ? random.integer(0, wire.length - 1) : random.integer(0, wire.length);
    await client.write(wire.subarray(0, cut), plan.style === "in pieces" ? { seed: cut } : "whole");
    leaveAt("body", plan);
    if (plan.style === "in pieces") await pause(random.integer(1, 60));
    // What fails on the way may have arrived all the same.
    attempt.sentWhole = true;
    await client.write(wire.subarray(cut));
    if (plan.halfCloses) await client.closeWrite();
  }

  #count(ending: string): void {
    this.endings.set(ending, (this.endings.get(ending) ?? 0) + 1);
  }
}

function leaveAt(point: DropPoint, { dropsAt }: Plan): void {
  if (dropsAt === point) throw new Departure();
}

function isPositive(reply: readonly string[]): boolean {
  return reply.at(-1)?.startsWith("2") ?? false;
}

function isGoAhead(reply: readonly string[]): boolean {
  return reply.at(-1)?.startsWith("354") ?? false;
}

function describe(error: unknown): string {
  const [first = ""] = error instanceof Error ? error.message.split("\n") : [String(error)];
  return first.slice(0, 100);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
