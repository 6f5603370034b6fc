/** Stops under load: whatever a client was told is accepted, the provider has; everything else its client still has. */

import assert from "node:assert/strict";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { MAILBOX, Stage } from "./lifecycle_stage.ts";

const rounds = Number(Deno.env.get("STOP_ROUNDS") ?? "50");
const sessions = 20;
const filler = `${"x".repeat(76)}\r\n`.repeat(51);

/** Sends one message after the other until the daemon says goodbye. @returns the subjects that were acknowledged. */
async function sendUntilGoodbye(stage: Stage, { name, onAcknowledged }: SenderOptions): Promise<string[]> {
  const acknowledged: string[] = [];
  let client: SmtpTestClient | undefined;
  try {
    client = await stage.client();
    for (let number = 1;; number++) {
      const subject = `${name}-${number}`;
      const data = `Subject: ${subject}\r\n\r\n${filler}`;
      const reply = await client.send({ from: MAILBOX, to: ["someone@example.net"], data });
      if (!reply.startsWith("250 ")) break;
      acknowledged.push(subject);
      onAcknowledged();
    }
  } catch (error) {
    // Refused before or between the messages; anything but a 421 or a closed connection would be a fault.
    const isGoodbye = error instanceof Deno.errors.ConnectionRefused ||
      /S: 4[25]1 |connection is (closed|reset)|BrokenPipe|ConnectionReset/.test(String(error));
    if (!isGoodbye) throw error;
  } finally {
    client?.[Symbol.dispose]();
  }
  return acknowledged;
}

interface SenderOptions {
  readonly name: string;
  readonly onAcknowledged: () => void;
}

/** Stops when `after` messages have been acknowledged, which is another moment in each round. */
async function stopUnderLoad(after: number): Promise<{ acknowledged: string[]; missing: string[] }> {
  await using stage = await Stage.set({ connections: 10 });
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const onAcknowledged = () => ++count === after && resolve();
  const senders = Array.from(
    { length: sessions },
    (_, index) => sendUntilGoodbye(stage, { name: `s${index}`, onAcknowledged }),
  );
  const all = Promise.all(senders);
  await Promise.race([enough, all]);
  const { code } = await stage.daemon.stop();
  assert.equal(code, 0, stage.daemon.log.map(({ message }) => message).join("\n"));
  const acknowledged = (await all).flat();
  const accepted = new Set(stage.acceptedSubjects);
  return { acknowledged, missing: acknowledged.filter((subject) => !accepted.has(subject)) };
}

Deno.test({
  name: `${rounds} stops under full load lose no message that was acknowledged`,
  ignore: Deno.build.os === "windows",
  async fn() {
    for (let round = 1; round <= rounds; round++) {
      const after = sessions + round * 3;
      const { acknowledged, missing } = await stopUnderLoad(after);
      assert.deepEqual(missing, [], `round ${round}`);
      assert.ok(acknowledged.length >= after, `round ${round}: ${acknowledged.length} acknowledged`);
    }
  },
});
