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

/** Counts the process's TCP sockets (IPv4) that are connected to one of these ports. */
export function socketsToPorts(pid: number, ports: readonly number[]): number {
  const own = new Set(openDescriptors(pid).map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const [, ...rows] = Deno.readTextFileSync("/proc/net/tcp").trimEnd().split("\n");
  return rows.map((row) => row.trim().split(/\s+/)).filter((columns) => {
    const remotePort = parseInt(columns[2]?.split(":")[1] ?? "", 16);
    return ports.includes(remotePort) && own.has(columns[9]);
  }).length;
}
