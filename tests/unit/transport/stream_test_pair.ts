/** Two ends of a connection: one of ours, made as a listener makes it, and the peer's, a plain Deno socket. */

import { createSecureContext } from "node:tls";
import type { ByteStream } from "../../../src/transport/byte_stream.ts";
import { DenoStream } from "../../../src/transport/deno_stream.ts";
import { StarttlsStream } from "../../../src/transport/tls_server_stream.ts";
import { createTestCertificates } from "../../support/certificates.ts";

export interface StreamPair extends AsyncDisposable {
  readonly stream: ByteStream;
  readonly peer: Deno.TcpConn;
  /** What the peer has to trust after an upgrade. */
  readonly caCertificate: string;
}

/** A `DenoStream`. */
export async function denoPair(): Promise<StreamPair> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const peer = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const stream = new DenoStream(await listener.accept());
  return { stream, peer, caCertificate: "", [Symbol.asyncDispose]: () => end(stream, peer) };
}

/** A `StarttlsStream`, whose certificate is good for localhost. */
export async function starttlsPair(): Promise<StreamPair & { readonly stream: StarttlsStream }> {
  const certificates = await createTestCertificates();
  const { certificate, privateKey } = certificates.leaf;
  const context = createSecureContext({ cert: certificate, key: privateKey });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const peer = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const stream = new StarttlsStream(await listener.accept(), () => context);
  return {
    stream,
    peer,
    caCertificate: certificates.caCertificate,
    [Symbol.asyncDispose]: () => end(stream, peer),
  };
}

function end(stream: ByteStream, peer: Deno.TcpConn): Promise<void> {
  stream.close();
  try {
    peer.close();
  } catch (error) {
    // Closed by its test, or used up by an upgrade.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
  return Promise.resolve();
}
