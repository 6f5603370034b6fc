/**
 * The client of the bench, a process of its own. Run with its options as one JSON argument. It prints lines of JSON:
 * `{"signedIn":true}` when all sessions are open, then the result of the load, or, when it only holds its sessions
 * open, nothing more until its standard input ends.
 */

import { endOfInput } from "./end_of_input.ts";
import { Load, type LoadOptions, type LoadResult } from "./load.ts";
import { type ClientOptions, LoaderSession } from "./loader_session.ts";
import { MessageTemplate } from "./message_template.ts";

/** The JSON argument of the loader's process. */
export interface LoaderOptions extends Omit<ClientOptions, "message">, LoadOptions {
  /** Size of a message without its end-of-data line. */
  readonly messageOctets: number;
  /** Signs all sessions in, sends nothing, and waits for the end of standard input. */
  readonly holds: boolean;
}

/** A line that the loader's process prints. */
export type LoaderOutput = { readonly signedIn: true } | LoadResult;

async function main(options: LoaderOptions): Promise<void> {
  const client = { ...options, message: MessageTemplate.create(options.messageOctets) };
  if (options.holds) return await hold(client, options);
  print(await new Load(client, options).run(() => print({ signedIn: true })));
}

async function hold(client: ClientOptions, { sessions, users }: LoadOptions): Promise<void> {
  const open: LoaderSession[] = [];
  // One after the other: what is wanted is the sessions, not a storm of sign-ins.
  for (let index = 0; index < sessions; index++) {
    open.push(await LoaderSession.open(users[index % users.length] ?? "", client));
  }
  print({ signedIn: true });
  await endOfInput();
  for (const session of open) session.close();
}

function print(line: LoaderOutput): void {
  const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

if (import.meta.main) await main(JSON.parse(Deno.args[0] ?? "{}"));
