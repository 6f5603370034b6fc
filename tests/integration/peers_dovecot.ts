/** Dovecot's submission service as a provider: it checks XOAUTH2 by introspection, and hands mail on to a sink. */

import { join } from "node:path";
import type { Endpoint } from "../../src/config/settings.ts";
import { ChildProcess } from "../support/child_process.ts";
import { MAILBOX } from "../support/daemon_fixture.ts";
import { freePort, run, untilListening } from "./peers_postfix.ts";

export interface DovecotOptions {
  /** Where it sends what it has accepted. */
  readonly sink: Endpoint;
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  /** Whether an access token is good. */
  readonly isActive: (accessToken: string) => boolean;
}

/** A running Dovecot. */
export interface Dovecot extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Tokens that it has asked about. */
  readonly introspected: string[];
  /** Everything it logged so far. */
  log(): Promise<string>;
}

/** Starts it in a folder of its own; needs root. */
export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-dovecot-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  await Deno.chmod(directory, 0o755);
  const introspected: string[] = [];
  const introspection = stack.use(startIntrospection(options.isActive, introspected));
  const port = freePort();
  await writeConfiguration(directory, {
    ...options,
    port,
    introspectionPort: (introspection.addr as Deno.NetAddr).port,
  });
  const configuration = join(directory, "dovecot.conf");
  const dovecot = stack.use(ChildProcess.spawn({ command: ["dovecot", "-F", "-c", configuration] }));
  stack.defer(async () => {
    await run("doveadm", "-c", configuration, "stop");
    await dovecot.exited;
  });
  await untilListening(port, dovecot);
  const owned = stack.move();
  return {
    endpoint: { hostname: "127.0.0.1", port },
    introspected,
    log: () => Deno.readTextFile(join(directory, "dovecot.log")),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A token introspection endpoint (RFC 7662 §2). */
function startIntrospection(isActive: (accessToken: string) => boolean, introspected: string[]) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const token = new URLSearchParams(await request.text()).get("token") ?? "";
    introspected.push(token);
    return Response.json(isActive(token) ? { active: true, username: MAILBOX.email } : { active: false });
  });
}

async function writeConfiguration(
  directory: string,
  options: DovecotOptions & { port: number; introspectionPort: number },
): Promise<void> {
  const { sink, certificateFile, privateKeyFile, port, introspectionPort } = options;
  const oauth2 = join(directory, "oauth2.conf.ext");
  await Deno.writeTextFile(
    oauth2,
    [
      `introspection_url = http://127.0.0.1:${introspectionPort}/introspect`,
      "introspection_mode = post",
      "username_attribute = username",
      "active_attribute = active",
      "active_value = true",
      "",
    ].join("\n"),
  );
  await Deno.mkdir(join(directory, "mail"));
  await run("chown", "nobody", join(directory, "mail"));
  await Deno.writeTextFile(
    join(directory, "dovecot.conf"),
    `
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/dovecot.log
protocols = submission
listen = 127.0.0.1
ssl = required
ssl_cert = <${certificateFile}
ssl_key = <${privateKeyFile}
auth_mechanisms = xoauth2 oauthbearer
mail_location = maildir:${directory}/mail/%u
mail_max_userip_connections = 100
submission_relay_host = ${sink.hostname}
submission_relay_port = ${sink.port}
submission_relay_ssl = no
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${oauth2}
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${directory}/mail/%u
}
service submission-login {
  inet_listener submission {
    port = ${port}
  }
}
`,
  );
}
