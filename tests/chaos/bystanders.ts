/** Ordinary senders beside an attack, and what the attack did to them and to the daemon's memory. */

import assert from "node:assert/strict";
import { mebibytes, residentOctets } from "../bench/resident_memory.ts";
import { LatencySamples } from "../bench/latency_samples.ts";
import { type DaemonFixture, MAILBOX } from "../support/daemon_fixture.ts";
import type { SmtpTestClient } from "../support/smtp_client.ts";
import { MemoryWatch } from "./memory_watch.ts";

/** An attack and the bounds that must hold. */
export interface AttackOptions {
  /** For the printed line. */
  readonly name: string;
  /** The most that resident memory may grow by, in MiB, beyond what garbage collection swings. */
  readonly maxGrowthMebibytes: number;
  /** Ends when the attack is over. */
  readonly attack: () => Promise<void>;
}

const BYSTANDERS = 3;
/** What a user would wait for, on a machine that is busy with the attack itself and with other tests. */
const BYSTANDER_DEADLINE_MS = 60_000;
/** Sent before the attack begins, so that its memory and caches are warm. */
const WARM_UP_MESSAGES = 60;
/** Sent during the attack at least, however short it is. */
const LEAST_MESSAGES = 20;

/** Runs an attack; afterwards every bystander's message was acknowledged, and memory stayed in bounds. */
export async function withstand(fixture: DaemonFixture, options: AttackOptions): Promise<void> {
  const { pid } = fixture.daemon;
  const bystanders = new Bystanders(await signInAll(fixture));
  await bystanders.send(WARM_UP_MESSAGES);
  const beforeOctets = await residentOctets(pid);
  const attack = new AbortController();
  const latencies = new LatencySamples();
  let highestOctets: number;
  {
    await using watch = new MemoryWatch(pid);
    const [sent, attacked] = await Promise.allSettled([
      bystanders.sendUntil(attack.signal, latencies),
      options.attack().finally(() => attack.abort()),
    ]);
    for (const outcome of [sent, attacked]) if (outcome.status === "rejected") throw outcome.reason;
    highestOctets = watch.highestOctets;
  }
  bystanders.close();
  const growth = mebibytes(highestOctets - beforeOctets);
  // deno-lint-ignore no-console -- the figures are what the test is run for
  console.log(
    `${options.name}: others' p99 ${
      latencies.percentile(0.99).toFixed(1)
    } ms over ${latencies.count} messages, ` +
      `memory ${mebibytes(beforeOctets).toFixed(0)} + ${growth.toFixed(0)} MiB`,
  );
  assert.ok(latencies.count >= LEAST_MESSAGES, "bystanders were served");
  assert.ok(growth <= options.maxGrowthMebibytes, `memory grew by ${growth} MiB`);
}

/** Signed-in sessions that send small messages in turn. */
class Bystanders {
  readonly #clients: readonly SmtpTestClient[];

  constructor(clients: readonly SmtpTestClient[]) {
    this.#clients = clients;
  }

  /** @throws {Error} With the transcript, when a message is not accepted. */
  async send(count: number, latencies?: LatencySamples): Promise<void> {
    for (let sent = 0; sent < count; sent++) {
      const from = performance.now();
      const client = this.#clients[sent % this.#clients.length]!;
      const reply = await client.send({
        from: MAILBOX.email,
        to: ["a@example.net"],
        data: "Subject: x\r\n\r\nx",
      });
      assert.match(reply, /^250 /, `a bystander read ${reply}`);
      latencies?.add(performance.now() - from);
    }
  }

  async sendUntil(stop: AbortSignal, latencies: LatencySamples): Promise<void> {
    while (!stop.aborted || latencies.count < LEAST_MESSAGES) {
      await this.send(this.#clients.length, latencies);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  close(): void {
    for (const client of this.#clients) client[Symbol.dispose]();
  }
}

async function signInAll(fixture: DaemonFixture): Promise<SmtpTestClient[]> {
  return await Promise.all(
    Array.from({ length: BYSTANDERS }, () => fixture.signIn({ deadlineMs: BYSTANDER_DEADLINE_MS })),
  );
}
