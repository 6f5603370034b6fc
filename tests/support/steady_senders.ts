/** Senders that never stop on their own, as MTAs behave: what was not acknowledged is sent again, on a new connection. */

import { SmtpTestClient } from "./smtp_client.ts";

/** Who sends where. */
export interface SteadySendersOptions {
  readonly port: number;
  readonly email: string;
  readonly password: string;
  /** Sessions at the same time. Default: 4. */
  readonly count?: number;
  /** Messages before a sender says QUIT and connects again. Default: 20. */
  readonly messagesPerConnection?: number;
}

/** A sender's pause after a failure. */
const retryPauseMs = 20;

/** Running senders. */
export class SteadySenders {
  readonly #options: Required<SteadySendersOptions>;
  readonly #senders: Promise<void>[];
  readonly #watchers = new Set<() => void>();
  #isStopping = false;
  /** Identifiers of the messages that a sender has read 250 for. */
  readonly acknowledged: string[] = [];
  /** What ended a connection before its QUIT. */
  readonly interruptions: string[] = [];
  /** Connections that were refused. */
  refused = 0;

  /** Starts them. */
  constructor(options: SteadySendersOptions) {
    this.#options = { count: 4, messagesPerConnection: 20, ...options };
    this.#senders = Array.from({ length: this.#options.count }, (_, index) => this.#run(`sender-${index}`));
  }

  /** Resolves when `count` more messages are acknowledged. @throws {Error} After 30 seconds. */
  async waitForMore(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => this.acknowledged.length >= goal && resolve();
    const timer = setTimeout(() => reject(new Error(this.#story(goal))), 30_000);
    this.#watchers.add(look);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /** Lets each end the message in hand. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#senders);
  }

  #story(goal: number): string {
    const last = this.interruptions.slice(-3).join("\n");
    return `${this.acknowledged.length} of ${goal} messages acknowledged, ${this.refused} connections refused\n${last}`;
  }

  async #run(name: string): Promise<void> {
    for (let number = 1; !this.#isStopping;) {
      try {
        const { port } = this.#options;
        using client = await SmtpTestClient.connect({ port, deadlineMs: 15_000 });
        number = await this.#converse(client, { name, number });
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionRefused) this.refused++;
        else this.interruptions.push((error as Error).message);
        await new Promise((resolve) => setTimeout(resolve, retryPauseMs));
      }
    }
  }

  /** @returns The number of the next message. A message whose reply was not 250 has its number again. */
  async #converse(client: SmtpTestClient, from: { name: string; number: number }): Promise<number> {
    const { email, password, messagesPerConnection } = this.#options;
    let { number } = from;
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.authPlain(email, password);
    for (let sent = 0; sent < messagesPerConnection && !this.#isStopping; sent++) {
      const id = `${from.name}-${number}`;
      const data = `Message-ID: <${id}@client.example>\r\nSubject: steady\r\n\r\nHello`;
      const reply = await client.send({ from: email, to: ["someone@example.com"], data });
      if (!reply.startsWith("250 ")) {
        this.interruptions.push(reply);
        return number;
      }
      number++;
      this.acknowledged.push(id);
      for (const look of this.#watchers) look();
    }
    await client.command("QUIT", "221 *");
    return number;
  }
}

/** The identifiers of messages that arrived, in order; one that was sent again may be there twice. */
export function arrivedIds(messages: readonly { readonly mailData: Uint8Array }[]): string[] {
  const decoder = new TextDecoder();
  return messages.map(({ mailData }) =>
    /^Message-ID: <(.+)@client\.example>/.exec(decoder.decode(mailData))![1]!
  );
}
