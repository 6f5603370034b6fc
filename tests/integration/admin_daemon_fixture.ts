/** The real daemon with a sandbox provider, and its admin API. */

import { join } from "node:path";
import { hashPassword } from "../../src/accounts/password_hash.ts";
import { createProxyFiles } from "../../src/sandbox/proxy_files.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import type { SandboxAccount } from "../../src/sandbox/token_issuer.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { adminToken, type ApiAnswer, type ApiRequest, callApi } from "./admin_fixture.ts";

/** How the daemon is started. */
export interface AdminDaemonOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Accounts that it has from the start; default: the sandbox's one. */
  readonly accounts?: (sandbox: Sandbox) => readonly SandboxAccount[];
}

/** Both, running. */
export class AdminDaemon implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;

  private constructor(
    readonly sandbox: Sandbox,
    readonly daemon: DaemonProcess,
    stack: AsyncDisposableStack,
  ) {
    this.#stack = stack;
  }

  /** Starts them. */
  static async start({ args = [], env = {}, accounts }: AdminDaemonOptions = {}): Promise<AdminDaemon> {
    await using stack = new AsyncDisposableStack();
    const directory = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const sandbox = stack.use(await startSandbox({ caFile: join(directory, "ca.pem") }));
    const files = await createProxyFiles({
      sandbox,
      accounts: accounts?.(sandbox) ?? [sandbox.account],
      hashPassword,
    });
    const daemon = stack.use(
      await DaemonProcess.start({
        config: files.config,
        accounts: files.accounts,
        args,
        env: { XOAUTH2_ADMIN_TOKEN: adminToken, ...env },
      }),
    );
    return new AdminDaemon(sandbox, daemon, stack.move());
  }

  /** Makes one call. */
  async call(method: string, path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    return await callApi(this.daemon.adminUrl, { method, path, ...request });
  }

  /** A client that has greeted. */
  async connect(): Promise<SmtpTestClient> {
    const client = await SmtpTestClient.connect(this.daemon.listener);
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    return client;
  }

  /** Sends one message. @returns The final reply. */
  async send({ email, password }: SandboxAccount): Promise<string> {
    using client = await this.connect();
    await client.authPlain(email, password);
    return await client.send({ from: email, to: ["b@example.net"], data: "Subject: x\r\n\r\nx" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** A sandbox mailbox as the API takes it. */
export function bodyOf(account: SandboxAccount, more: Readonly<Record<string, unknown>> = {}) {
  const { email, clientId, clientSecret, refreshToken, password } = account;
  return {
    email,
    provider: "sandbox",
    client_id: clientId,
    client_secret: clientSecret,
    refresh_token: refreshToken,
    password,
    ...more,
  };
}
