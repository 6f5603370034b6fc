/** The end of a chaos run: a daemon that has been left in peace must hold nothing any more, and must still work. */

import type { ScriptedUpstream } from "../support/scripted_upstream.ts";
import type { ChaosClient } from "./chaos_client.ts";
import { openDescriptors, type TcpSocket, tcpSockets } from "./open_sockets.ts";
import type { RestartableDaemon } from "./restartable_daemon.ts";

/** How the daemon is found when everybody has left. */
export interface DaemonRest {
  readonly residentOctets: number;
  readonly openFiles: number;
  /** What is held without need. */
  readonly leaks: readonly string[];
}

export interface SettleOptions {
  readonly clients: readonly ChaosClient[];
  readonly upstreams: readonly ScriptedUpstream[];
}

/**
 * Idle connections end after a second in these runs, silent clients after five. The longest is a TLS handshake that a
 * client has given up, 30 s: Deno leaves the client's socket open then.
 */
const restTimeoutMs = 40_000;

/** Descriptors of a daemon that has just started: files, listeners, epoll; and the few HTTP connections that are kept. */
const mostOpenFiles = 48;

/** Lets each account send once more, and waits until the daemon is at rest. */
export async function settle(
  daemon: RestartableDaemon,
  { clients, upstreams }: SettleOptions,
): Promise<DaemonRest> {
  const leaks: string[] = [];
  for (const client of clients) {
    if (!await eventually(() => client.sendPlainly())) {
      leaks.push(
        `no message gets through when all is well: ${JSON.stringify([...client.endings].slice(-3))}`,
      );
    }
  }
  let held: string[] = [];
  const isAtRest = await eventually(async () => {
    held = await heldThings(daemon);
    held.push(...heldSockets(daemon, upstreams));
    return held.length === 0;
  });
  if (!isAtRest) leaks.push(...held.map((what) => `still there at the end: ${what}`));
  const { body } = await daemon.call("GET", "/admin/status");
  const openFiles = openDescriptors(daemon.pid).length;
  if (openFiles > mostOpenFiles) leaks.push(`still there at the end: ${openFiles} open files`);
  return { residentOctets: body.resident_memory_bytes, openFiles, leaks };
}

const isListening = 10;

function heldSockets(daemon: RestartableDaemon, upstreams: readonly ScriptedUpstream[]): string[] {
  const listenerPorts = daemon.listeners.map(({ port }) => port);
  return tcpSockets(daemon.pid).filter(({ state }) => state !== isListening).flatMap((socket) => {
    const listener = listenerPorts.indexOf(socket.localPort);
    if (listener >= 0) return [`a socket of listener ${listener}: ${JSON.stringify(socket)}`];
    const upstream = upstreams.find(({ endpoint }) => endpoint.port === socket.remotePort);
    if (!upstream || isAbandonedHandshake(upstream, socket)) return [];
    return [`a socket to the provider: ${JSON.stringify(socket)}`];
  });
}

/**
 * Deno (2.9.6) closes a TLS connection whose handshake is under way only when the other side does: until then such a
 * socket stays, whatever the program does.
 */
function isAbandonedHandshake({ connections }: ScriptedUpstream, { localPort }: TcpSocket): boolean {
  const lines = connections.findLast(({ remotePort }) => remotePort === localPort)?.commandLines ?? [];
  const last = lines.at(-1);
  return last === undefined || last === "STARTTLS";
}

async function heldThings(daemon: RestartableDaemon): Promise<string[]> {
  const { status, body } = await daemon.call("GET", "/admin/status");
  if (status !== 200) return [`the status call answered ${status}`];
  const held: string[] = [];
  const look = (count: number, what: string) => count > 0 && held.push(`${count} ${what}`);
  look(body.sessions, "sessions");
  look(body.transactions, "messages under way");
  for (const { email, pool } of body.accounts) {
    if (!pool) continue;
    look(pool.transactions, `transactions of ${email}`);
    look(pool.waiting, `waiters of ${email}`);
    look(pool.dialing, `dials of ${email}`);
    look(pool.open, `connections of ${email}`);
  }
  return held;
}

async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  for (const endMs = performance.now() + restTimeoutMs; performance.now() < endMs;) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
