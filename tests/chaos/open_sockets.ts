/** Descriptors of another process, as Linux shows them. */

/** What each open descriptor leads to, such as `socket:[4711]`. */
export function openDescriptors(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/${pid}/fd/${name}`)];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return []; // closed meanwhile
      throw error;
    }
  });
}

/** One end of a TCP connection. */
export interface TcpSocket {
  readonly localPort: number;
  readonly remotePort: number;
  /** As in tcp_states.h: 1 established, 8 close-wait (the peer has closed, this side has not), 10 listening. */
  readonly state: number;
  /** Octets that wait to be sent and to be read. */
  readonly queues: string;
}

/** The process's TCP sockets (IPv4). */
export function tcpSockets(pid: number): TcpSocket[] {
  const own = new Set(openDescriptors(pid).map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const [, ...rows] = Deno.readTextFileSync("/proc/net/tcp").trimEnd().split("\n");
  return rows.map((row) => row.trim().split(/\s+/)).filter((columns) => own.has(columns[9])).map((
    [, local, remote, state, queues],
  ) => ({
    localPort: portOf(local),
    remotePort: portOf(remote),
    state: parseInt(state ?? "", 16),
    queues: queues ?? "",
  }));
}

function portOf(address = ""): number {
  return parseInt(address.split(":")[1] ?? "", 16);
}
