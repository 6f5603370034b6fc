/** Where a client of the bench connects. */
export interface DialOptions {
  readonly hostname: string;
  readonly port: number;
  /** PEM text of the authority behind the server's certificate; with it, TLS from the first octet. */
  readonly caCertificate?: string;
}

/** Connects, with TCP_NODELAY, and completes the TLS handshake where there is one. */
export async function dial({ hostname, port, caCertificate }: DialOptions): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname, port });
  conn.setNoDelay(true);
  if (caCertificate === undefined) return conn;
  const tls = await Deno.startTls(conn, { hostname: "localhost", caCerts: [caCertificate] });
  try {
    await tls.handshake();
  } catch (error) {
    tls.close();
    throw error;
  }
  return tls;
}
