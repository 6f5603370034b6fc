/** A token endpoint that answers without end, or with far more than anybody asked for. */

import net, { type AddressInfo, type Socket } from "node:net";

/** How it misbehaves. */
export type Hostility =
  /** 200, chunked, and never the last chunk. */
  | "an endless body"
  /** A header section without end. */
  | "endless headers"
  /** A gigabyte by its Content-Length, sent as fast as it is taken. */
  | "a huge body"
  /** One octet in a while. */
  | "a dripping body";

const BLOCK = new Uint8Array(65_536).fill(0x20);

/** A running endpoint on 127.0.0.1. */
export class HostileTokenEndpoint implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<ReturnType<typeof setInterval>>();
  /** Octets that were taken from it. */
  sentOctets = 0;
  requests = 0;

  private constructor(hostility: Hostility) {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => this.#sockets.delete(socket));
      socket.once("data", () => this.#answer(socket, hostility));
    });
  }

  /** Starts one. */
  static async start(hostility: Hostility): Promise<HostileTokenEndpoint> {
    const endpoint = new HostileTokenEndpoint(hostility);
    await new Promise<void>((resolve) => endpoint.#server.listen(0, "127.0.0.1", resolve));
    return endpoint;
  }

  /** Where to send requests. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #answer(socket: Socket, hostility: Hostility): void {
    this.requests++;
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    switch (hostility) {
      case "an endless body":
        socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
        return this.#pour(socket, `${BLOCK.length.toString(16)}\r\n`, "\r\n");
      case "endless headers":
        socket.write(head);
        return this.#pour(socket, "x-more: ", "\r\n");
      case "a huge body":
        socket.write(`${head}content-length: 1000000000\r\n\r\n`);
        return this.#pour(socket, "", "");
      case "a dripping body":
        socket.write(`${head}content-length: 1000000\r\n\r\n`);
        this.#timers.add(setInterval(() => socket.write(" "), 50));
    }
  }

  #pour(socket: Socket, before: string, after: string): void {
    if (socket.destroyed) return;
    this.sentOctets += BLOCK.length;
    if (before !== "") socket.write(before);
    socket.write(BLOCK);
    socket.write(after, (error) => error || this.#pour(socket, before, after));
  }
}
