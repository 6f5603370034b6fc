/** A Postfix instance of its own, in a temporary folder, that sends everything through the proxy with AUTH and STARTTLS. */

import { join } from "node:path";
import type { Endpoint } from "../../src/config/settings.ts";
import { ChildProcess } from "../support/child_process.ts";
import { MAILBOX } from "../support/daemon_fixture.ts";

export interface PostfixOptions {
  readonly relay: Endpoint;
  readonly caFile: string;
}

/** A running Postfix. */
export interface Postfix extends AsyncDisposable {
  /** Where it takes mail, without AUTH. */
  readonly port: number;
  /** Everything it logged so far. */
  log(): Promise<string>;
  /** What `postqueue -j` says: one line a message that is still there. */
  queue(): Promise<string[]>;
}

/** Starts an instance; needs root. */
export async function startPostfix({ relay, caFile }: PostfixOptions): Promise<Postfix> {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-postfix-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const port = freePort();
  await writeConfiguration(directory, { relay, caFile, port });
  const postfix = stack.use(ChildProcess.spawn({ command: ["postfix", "-c", directory, "start-fg"] }));
  stack.defer(async () => {
    await run("postfix", "-c", directory, "stop");
    await postfix.exited;
  });
  await untilListening(port, postfix);
  const owned = stack.move();
  return {
    port,
    log: () => Deno.readTextFile(join(directory, "mail.log")),
    async queue() {
      const json = await run("postqueue", "-c", directory, "-j");
      return json.split("\n").filter((line) => line !== "");
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function writeConfiguration(
  directory: string,
  { relay, caFile, port }: PostfixOptions & { port: number },
): Promise<void> {
  await Deno.chmod(directory, 0o755); // its own user has to get at its queue
  for (const folder of ["spool", "data"]) await Deno.mkdir(join(directory, folder));
  await run("chown", "postfix", join(directory, "data"));
  await Deno.copyFile(caFile, join(directory, "ca.pem"));
  const relayhost = `[localhost]:${relay.port}`;
  const main = {
    compatibility_level: "3.6",
    queue_directory: join(directory, "spool"),
    data_directory: join(directory, "data"),
    maillog_file: join(directory, "mail.log"),
    maillog_file_prefixes: directory,
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    myhostname: "postfix.example.com",
    mydestination: "",
    local_recipient_maps: "",
    alias_maps: "",
    smtp_host_lookup: "native",
    relayhost,
    smtp_sasl_auth_enable: "yes",
    smtp_sasl_password_maps: `inline:{{${relayhost}=${MAILBOX.email}:${MAILBOX.password}}}`,
    smtp_sasl_security_options: "noanonymous",
    smtp_sasl_mechanism_filter: "plain",
    smtp_tls_security_level: "verify",
    smtp_tls_verify_cert_match: "nexthop",
    smtp_tls_CAfile: join(directory, "ca.pem"),
    smtpd_client_connection_count_limit: "200",
    anvil_rate_time_unit: "1h",
  };
  const services = [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    "pickup unix n - n 60 1 pickup",
    "cleanup unix n - n - 0 cleanup",
    "qmgr unix n - n 300 1 qmgr",
    "tlsmgr unix - - n 1000? 1 tlsmgr",
    "rewrite unix - - n - - trivial-rewrite",
    "bounce unix - - n - 0 bounce",
    "defer unix - - n - 0 bounce",
    "trace unix - - n - 0 bounce",
    "proxymap unix - - n - - proxymap",
    "smtp unix - - n - - smtp",
    "relay unix - - n - - smtp",
    "showq unix n - n - - showq",
    "error unix - - n - - error",
    "retry unix - - n - - error",
    "anvil unix - - n - 1 anvil",
    "scache unix - - n - 1 scache",
    "postlog unix-dgram n - n - 1 postlogd",
  ];
  const lines = Object.entries(main).map(([name, value]) => `${name} = ${value}`);
  await Deno.writeTextFile(join(directory, "main.cf"), `${lines.join("\n")}\n`);
  await Deno.writeTextFile(join(directory, "master.cf"), `${services.join("\n")}\n`);
}

/** A port that was free a moment ago: Postfix takes none of its own choice. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Resolves when somebody listens at `port`. @throws {Error} With the program's output, after 15 seconds or at its end. */
export async function untilListening(port: number, program: ChildProcess): Promise<void> {
  let hasEnded = false;
  const ended = program.exited.then(() => hasEnded = true);
  for (let attempt = 0; attempt < 150 && !hasEnded; attempt++) {
    try {
      using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (hasEnded) await ended;
  throw new Error(
    `Nobody listens at ${port}: ${[...program.lines.stdout, ...program.lines.stderr].join("\n")}`,
  );
}

/** Runs a program to its end. @returns its output. @throws {Error} With its complaints, if it fails. */
export async function run(...[program, ...args]: [string, ...string[]]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program} failed: ${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
