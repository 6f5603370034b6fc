/** `--sandbox`: the embedded provider started first, and settings that lead the daemon to it. */

import type { Endpoint } from "../config/settings.ts";
import type { StartSettings } from "../config/start_setting.ts";

/** What the daemon is started with, sandbox or not. */
export interface SandboxStart extends AsyncDisposable {
  readonly start: StartSettings;
  /** The environment, with a state folder of the sandbox's own. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Prints how to send a message, see what comes of it and stop, once it is known where. */
  announce(places: SandboxPlaces): Promise<void>;
}

/** Where the daemon listens. */
export interface SandboxPlaces {
  /** Nothing if it is there for its admin API only. */
  readonly listener: Endpoint | undefined;
  readonly admin: Endpoint;
}

export interface WithSandboxOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (line: string) => void;
}

/** Starts a sandbox if one is asked for, in a temporary folder that goes with it. */
export async function withSandbox(
  start: StartSettings,
  { env, out }: WithSandboxOptions,
): Promise<SandboxStart> {
  const isWanted = start.sandbox ?? /^(1|true|yes|on)$/i.test(env["XOAUTH2_SANDBOX"] ?? "");
  if (!isWanted) {
    return {
      start,
      env,
      announce: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const { startSandbox } = await import("../sandbox/sandbox.ts");
  const { createProxyFiles } = await import("../sandbox/proxy_files.ts");
  const { hashPassword } = await import("../accounts/password_hash.ts");
  const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-sandbox-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const sandbox = stack.use(await startSandbox({ caFile: `${directory}/ca.pem` }));
  const files = await createProxyFiles({ sandbox, accounts: [sandbox.account], hashPassword });
  const config = `${directory}/config.json`;
  const accounts = `${directory}/accounts.json`;
  await Deno.writeTextFile(config, JSON.stringify(files.config));
  await Deno.writeTextFile(accounts, JSON.stringify(files.accounts), { mode: 0o600 });
  const owned = stack.move();
  const { email, password } = sandbox.account;
  return {
    start: { ...start, config, accounts },
    env: { ...env, STATE_DIRECTORY: directory },
    async announce({ listener, admin }) {
      const lines = await adminLines(admin, { env, directory });
      if (!listener) return lines.forEach((line) => out(line));
      const { hostname, port } = listener;
      out(
        `Sandbox provider on ${sandbox.smtp.hostname}:${sandbox.smtp.port}. Send a message through the proxy:`,
      );
      out(
        `  swaks --server ${hostname}:${port} --auth PLAIN --auth-user ${email} --auth-password ${password} \\`,
      );
      out(`        --from ${email} --to someone@example.com`);
      lines.forEach((line) => out(line));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function adminLines(
  { hostname, port }: Endpoint,
  { env, directory }: { env: WithSandboxOptions["env"]; directory: string },
): Promise<string[]> {
  const { adminTokenFile } = await import("../admin/admin_token.ts");
  const token = env["XOAUTH2_ADMIN_TOKEN"] ? "" : ` --token-file ${adminTokenFile(directory)}`;
  const options = `--admin-port ${port}${token}`;
  return [
    `The page of the proxy is at http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`,
    `See how it is:  xoauth2-proxy status ${options}`,
    `Stop it with Ctrl+C, or:  xoauth2-proxy stop ${options}`,
  ];
}
