/** One short message, straight to the provider. */

import { failureOf } from "../verification/verification_failure.ts";
import type { Account } from "../accounts/account.ts";
import type { Reply } from "../smtp/reply.ts";
import type { UpstreamConnection } from "../upstream/connection.ts";
import { diagnose } from "../upstream/diagnosis.ts";
import type { Dialer } from "../upstream/dialer.ts";
import type { Mailbox } from "../upstream/mailbox.ts";
import { UpstreamLostError } from "../upstream/upstream_error.ts";
import { CommandFailure } from "./command_failure.ts";
import { exitStatus } from "../lifecycle/exit_status.ts";

/** Addresses of a message. */
export interface TestAddresses {
  readonly from: string;
  readonly to: string;
}

/** What came of it. */
export interface TestMessageResult {
  readonly success: boolean;
  /** What was said (`C:`) and heard (`S:`) after the sign-in. */
  readonly dialogue: readonly string[];
  /** What to do, if it wasn't sent. */
  readonly remedy?: string;
}

/** Through what it goes. */
export interface SendingOptions {
  readonly account: Account;
  readonly mailbox: Mailbox;
  readonly dialer: Pick<Dialer, "dial">;
}

const quitTimeoutMs = 1000;

/**
 * Sends the message.
 *
 * @throws {CommandFailure} If there is no connection, with the remedy, or an address is none.
 */
export async function sendTestMessage(
  addresses: TestAddresses,
  { account, mailbox, dialer }: SendingOptions,
): Promise<TestMessageResult> {
  for (const address of Object.values(addresses)) requireAddress(address);
  const connection = await connect({ account, mailbox, dialer });
  const dialogue: string[] = [];
  try {
    const refused = await converse(addresses, { connection, dialogue });
    return refused
      ? { success: false, dialogue, remedy: diagnose(refused).remedy }
      : { success: true, dialogue };
  } catch (error) {
    if (!(error instanceof UpstreamLostError)) throw error;
    return { success: false, dialogue, remedy: `${error.message}; try again` };
  } finally {
    await connection.quit(quitTimeoutMs);
  }
}

async function connect({ account, mailbox, dialer }: SendingOptions): Promise<UpstreamConnection> {
  try {
    return await dialer.dial(mailbox, new AbortController().signal);
  } catch (error) {
    const { cause, remedy } = failureOf(error, { account });
    throw new CommandFailure(`${cause}. ${remedy}`, { cause: error });
  }
}

/** @returns The reply that ended it, if one did. */
async function converse(
  addresses: TestAddresses,
  { connection, dialogue }: { readonly connection: UpstreamConnection; readonly dialogue: string[] },
): Promise<Reply | undefined> {
  const say = async (line: string, isWanted: (reply: Reply) => boolean) => {
    const reply = await connection.command(line);
    dialogue.push(`C: ${line}`, `S: ${reply.text()}`);
    return isWanted(reply) ? undefined : reply;
  };
  const { from, to } = addresses;
  const refused = await say(`MAIL FROM:<${from}>`, ({ isPositive }) => isPositive) ??
    await say(`RCPT TO:<${to}>`, ({ isPositive }) => isPositive) ??
    await say("DATA", ({ code }) => code === 354);
  if (refused) return refused;
  const message = compose(addresses);
  await connection.write(new TextEncoder().encode(`${message}.\r\n`), "mail data");
  const final = await connection.readFinalReply();
  dialogue.push(`C: <message of ${message.length} octets>`, `S: ${final.text()}`);
  return final.isPositive ? undefined : final;
}

function compose({ from, to }: TestAddresses): string {
  const domain = from.split("@").at(-1);
  return [
    `Date: ${new Date().toUTCString().replace("GMT", "+0000")}`,
    `From: <${from}>`,
    `To: <${to}>`,
    "Subject: xoauth2-proxy test",
    `Message-ID: <${crypto.randomUUID()}@${domain}>`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=us-ascii",
    "",
    "This is a test message of xoauth2-proxy.",
    "",
  ].join("\r\n");
}

/** What could end the command early (RFC 5321 §4.1.2) is no address here. */
function requireAddress(address: string): void {
  if (/^[\x21-\x7e]+@[A-Za-z0-9.-]+$/.test(address) && !/[<>]/.test(address)) return;
  throw new CommandFailure(`"${address}" is no e-mail address`, { status: exitStatus.usage });
}
