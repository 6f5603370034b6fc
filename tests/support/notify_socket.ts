/** A datagram socket in systemd's place, sd_notify(3). */
export class NotifySocket implements AsyncDisposable {
  /** For NOTIFY_SOCKET. */
  readonly path: string;
  readonly #socket: Deno.DatagramConn;
  readonly #directory: string | undefined;

  private constructor(path: string, directory?: string) {
    this.path = path;
    this.#directory = directory;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
  }

  /** Listens in a folder of its own. */
  static async open(): Promise<NotifySocket> {
    const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-notify-" });
    return new NotifySocket(`${directory}/notify`, directory);
  }

  /** Listens at a name that is no file, unix(7). */
  static openAbstract(name: string): NotifySocket {
    return new NotifySocket(`\0${name}`);
  }

  /** Resolves with the lines of the next notification. */
  async next(): Promise<string[]> {
    const [datagram] = await this.#socket.receive();
    return new TextDecoder().decode(datagram).split("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    if (this.#directory !== undefined) await Deno.remove(this.#directory, { recursive: true });
  }
}
