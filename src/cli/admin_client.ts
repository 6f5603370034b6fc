/** Speaks to a running daemon over its admin API. */

import { Buffer } from "node:buffer";
import { type IncomingMessage, request } from "node:http";
import { findAdminToken } from "../admin/admin_token.ts";
import type { Environment } from "../config/platform_places.ts";
import type { Settings } from "../config/settings.ts";
import { withTimeout } from "../waiting/with_timeout.ts";
import { CommandFailure } from "./command_failure.ts";

/** Which daemon. */
export interface AdminClientOptions {
  readonly settings: Pick<Settings, "admin" | "stateDirectory">;
  readonly env: Environment;
  /** Default: where the daemon itself looks. */
  readonly tokenFile?: string | undefined;
  /** The config.json that the port was taken from, for the words of a failure; absent if it comes from elsewhere. */
  readonly portFile?: string | undefined;
}

/** An answer of the API. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Nothing answers at the daemon's address. */
export class NoDaemonError extends CommandFailure {
  /** What the address may have wrong, in parentheses; empty if nothing is known of that. */
  readonly doubt: string;

  constructor(
    url: string,
    { portFile, ...options }: ErrorOptions & { readonly portFile?: string | undefined } = {},
  ) {
    const doubt = portFile === undefined
      ? ""
      : ` (${
        new URL(url).port
      } is from ${portFile}; a daemon that was started before may still be at the old port)`;
    super(
      `No daemon answers at ${url}: is it running, and are --admin-host and --admin-port those it was started with?${doubt}`,
      options,
    );
    this.doubt = doubt;
  }
}

interface AdminRequest {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
}

const requestTimeoutMs = 15_000;

/** One daemon's API. */
export class AdminClient {
  /** Base URL. */
  readonly url: string;
  readonly #options: AdminClientOptions;

  constructor(options: AdminClientOptions) {
    this.#options = options;
    this.url = baseUrl(options.settings.admin);
  }

  /**
   * Makes one call, if a daemon answers: nobody else is to see the token.
   *
   * @throws {NoDaemonError} If nothing answers.
   * @throws {CommandFailure} If there is no token, it is refused, or what answers is no daemon.
   */
  async call(
    method: "GET" | "POST",
    path: string,
    { timeoutMs = requestTimeoutMs }: { readonly timeoutMs?: number } = {},
  ): Promise<AdminAnswer> {
    if (!await this.isUp()) throw this.#noDaemon();
    const token = await this.#token();
    const answer = await this.#fetch(path, {
      method,
      headers: { authorization: `Bearer ${token.value}` },
    }, { timeoutMs });
    if (answer.status === 401) {
      throw new CommandFailure(
        `The daemon at ${this.url} refuses the admin token in ${token.place}: give --token-file or XOAUTH2_ADMIN_TOKEN`,
      );
    }
    return answer;
  }

  /**
   * Whether a daemon answers; no token is needed for that.
   *
   * @throws {CommandFailure} If something else answers.
   */
  async isUp(): Promise<boolean> {
    try {
      const { body } = await this.#fetch("/health", {}, { timeoutMs: requestTimeoutMs });
      if (body["service"] === "xoauth2-proxy-admin") return true;
      throw this.#stranger();
    } catch (error) {
      if (error instanceof NoDaemonError) return false;
      throw error;
    }
  }

  async #fetch(
    path: string,
    asked: AdminRequest,
    { timeoutMs }: { readonly timeoutMs: number },
  ): Promise<AdminAnswer> {
    const never = new AbortController().signal;
    const { status, text } = await withTimeout(
      (signal) => this.#exchange(path, asked, signal),
      { signal: never, timeoutMs },
    );
    const body = parseObject(text);
    if (!body) throw this.#stranger();
    return { status, body };
  }

  async #exchange(
    path: string,
    asked: AdminRequest,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    try {
      return await exchange(`${this.url}${path}`, asked, signal);
    } catch (error) {
      if (signal.aborted) {
        throw new CommandFailure(`The daemon at ${this.url} did not answer in time`, { cause: error });
      }
      throw this.#noDaemon({ cause: error });
    }
  }

  async #token() {
    const { settings, env, tokenFile } = this.#options;
    const token = await findAdminToken({
      settings: tokenFile === undefined ? settings.admin : { tokenFile },
      env,
      stateDirectory: settings.stateDirectory,
    });
    if (token) return token;
    throw new CommandFailure(
      `There is no admin token in ${settings.stateDirectory}: run this as the daemon's user, or give --token-file (the daemon's log names the file)`,
    );
  }

  #noDaemon(options: ErrorOptions = {}): NoDaemonError {
    return new NoDaemonError(this.url, { ...options, portFile: this.#options.portFile });
  }

  #stranger(): CommandFailure {
    return new CommandFailure(`Something else than this program answers at ${this.url}: see --admin-port`);
  }
}

/** Not by `fetch`, which would go through the proxy that HTTP_PROXY names, even to this machine, and show it the token. */
async function exchange(
  url: string,
  { method = "GET", headers = {} }: AdminRequest,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request(url, { method, headers, signal, agent: false }, resolve).on("error", reject).end();
  const answer = await promise;
  const octets: Uint8Array[] = await Array.fromAsync(answer);
  return { status: answer.statusCode ?? 0, text: Buffer.concat(octets).toString() };
}

/** @returns Nothing if the text is no JSON object. */
function parseObject(text: string): AdminAnswer["body"] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The text of an answer's error. */
export function errorOf({ status, body }: AdminAnswer): string {
  return typeof body["error"] === "string" ? body["error"] : `The daemon answered ${status}`;
}

/** A daemon that listens everywhere is asked on this machine. */
function baseUrl({ hostname, port }: Settings["admin"]): string {
  const host = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
