/**
 * A relay without features, as a yardstick: it signs a session in, opens one upstream connection for it, and copies
 * octets both ways. What it loses against sending directly is what a process in the middle costs on this machine.
 *
 * Run with its options as one JSON argument; prints its port as one line of JSON; ends with its standard
 * input, and so with the bench.
 */

import { dial, type DialOptions } from "./dial.ts";
import { endOfInput } from "./end_of_input.ts";
import { writeAll } from "./write_all.ts";

/** The JSON argument of the sketch's process. */
export interface SketchOptions {
  readonly upstream: DialOptions;
}

/** What the sketch's process prints when it is ready. */
export interface SketchEndpoint {
  readonly port: number;
}

const COPY_OCTETS = 64 * 1024;
const encoder = new TextEncoder();

async function main({ upstream }: SketchOptions): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 4096 });
  const endpoint: SketchEndpoint = { port: (listener.addr as Deno.NetAddr).port };
  Deno.stdout.writeSync(encoder.encode(JSON.stringify(endpoint) + "\n"));
  await Promise.race([serve(listener, upstream), endOfInput()]);
}

async function serve(listener: Deno.TcpListener, upstream: DialOptions): Promise<void> {
  const sessions = new Set<Promise<void>>();
  for await (const conn of listener) {
    const session = relay(conn, upstream).finally(() => sessions.delete(session));
    sessions.add(session);
  }
}

async function relay(client: Deno.TcpConn, upstream: DialOptions): Promise<void> {
  client.setNoDelay(true);
  using _client = client;
  try {
    await answer(client, ["220 sketch\r\n", "250-sketch\r\n250 AUTH PLAIN\r\n"]);
    using server = await signIn(upstream);
    await writeAll(client, encoder.encode("235 2.7.0 Accepted\r\n"));
    await Promise.all([copy(client, server), copy(server, client)]);
  } catch (error) {
    if (!(error instanceof Error && error.name in Deno.errors)) throw error;
  }
}

/** Writes each of `replies`, then reads what the client says to it. */
async function answer(client: Deno.Conn, replies: readonly string[]): Promise<void> {
  for (const reply of replies) {
    await writeAll(client, encoder.encode(reply));
    await client.read(new Uint8Array(4096));
  }
}

async function signIn(upstream: DialOptions): Promise<Deno.Conn> {
  const conn = await dial(upstream);
  const response = btoa(`user=sketch@localhost\x01auth=Bearer ${"t".repeat(2000)}\x01\x01`);
  const buffer = new Uint8Array(4096);
  await conn.read(buffer);
  for (const line of ["EHLO sketch.localhost", "AUTH XOAUTH2", response]) {
    await writeAll(conn, encoder.encode(line + "\r\n"));
    await conn.read(buffer);
  }
  return conn;
}

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(COPY_OCTETS);
  for (let octets = await from.read(buffer); octets !== null; octets = await from.read(buffer)) {
    await writeAll(to, buffer.subarray(0, octets));
  }
  to.close();
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0] ?? "{}"));
  Deno.exit(0);
}
