/** An admin API in the place of another daemon's. */
export interface StandInDaemon extends AsyncDisposable {
  /** Of 127.0.0.1. */
  readonly port: number;
}

/** Answers as a daemon's admin API does. @param onCall Is told each path, and may close the API behind the answer. */
export function standIn(onCall: (path: string, close: () => void) => void): StandInDaemon {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = (async () => {
    for await (using client of listener) {
      const octets = new Uint8Array(4096);
      const request = new TextDecoder().decode(octets.subarray(0, await client.read(octets) ?? 0));
      const path = request.split(" ")[1]!;
      let isLast = false;
      onCall(path, () => isLast = true);
      if (isLast) listener.close();
      const body = JSON.stringify({ success: true, service: "xoauth2-proxy-admin", pid: 1 });
      const status = path === "/admin/shutdown" ? "202 Accepted" : "200 OK";
      const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
      await client.write(new TextEncoder().encode(head + body));
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      try {
        listener.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
      await answered;
    },
  };
}
