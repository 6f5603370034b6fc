/**
 * The provider of the bench, a process of its own: an SMTP server that accepts everything and looks at next to
 * nothing, with implicit TLS and without, and a token endpoint that gives a token to everybody. Over HTTP it also
 * tells its counts, so that a measurement can be checked against what really arrived.
 *
 * Run with its options as one JSON argument; prints its end points as one line of JSON; ends with its
 * standard input, and so with the bench.
 */

import { endOfInput } from "./end_of_input.ts";
import { setNoDelayOnListeners } from "./no_delay.ts";
import { type SinkBehaviour, SinkLedger } from "./sink_ledger.ts";
import { SinkSession } from "./sink_session.ts";

/** The JSON argument of the sink's process. */
export interface SinkOptions extends SinkBehaviour {
  /** PEM texts of the server's certificate and its key. */
  readonly certificate: string;
  readonly privateKey: string;
}

/** What the sink's process prints when it is ready. */
export interface SinkEndpoints {
  /** Port with implicit TLS. */
  readonly tlsPort: number;
  /** Port without TLS. */
  readonly plainPort: number;
  /** `POST /token`, `GET /counts`, `GET /accepted?messages=N` (answers when there are so many), `GET /numbers`. */
  readonly httpPort: number;
}

const HOSTNAME = "127.0.0.1";

async function main(options: SinkOptions): Promise<void> {
  const ledger = new SinkLedger(options);
  const plain = Deno.listen({ hostname: HOSTNAME, port: 0, tcpBacklog: 4096 });
  const tls = Deno.listenTls({
    hostname: HOSTNAME,
    port: 0,
    tcpBacklog: 4096,
    cert: options.certificate,
    key: options.privateKey,
  });
  setNoDelayOnListeners();
  const http = Deno.serve(
    { hostname: HOSTNAME, port: 0, onListen: () => {} },
    (request) => answer(request, ledger),
  );
  const endpoints: SinkEndpoints = {
    tlsPort: (tls.addr as Deno.NetAddr).port,
    plainPort: (plain.addr as Deno.NetAddr).port,
    httpPort: http.addr.port,
  };
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(endpoints) + "\n"));
  await Promise.race([serve(plain, ledger), serve(tls, ledger), http.finished, endOfInput()]);
}

async function serve(listener: Deno.Listener, ledger: SinkLedger): Promise<void> {
  const sessions = new Set<Promise<void>>();
  for await (const conn of listener) {
    const session = new SinkSession(conn, ledger).run().finally(() => sessions.delete(session));
    sessions.add(session);
  }
}

async function answer(request: Request, ledger: SinkLedger): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/token":
      return Response.json(ledger.issueToken());
    case "/counts":
      return Response.json(ledger.counts());
    case "/accepted":
      await ledger.accepted(Number(searchParams.get("messages")));
      return Response.json(ledger.counts());
    case "/numbers":
      return Response.json(ledger.numbers);
    default:
      return new Response(null, { status: 404 });
  }
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0] ?? "{}"));
  Deno.exit(0);
}
