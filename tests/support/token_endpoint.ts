/**
 * An OAuth token endpoint for tests that answers whatever it is told, or nothing. On a bare socket, since HTTP
 * servers have no way to hang up in the middle of an answer.
 */

import net, { type AddressInfo, type Socket } from "node:net";
import { SocketReader } from "./socket_reader.ts";

/** One request as it came. */
export interface TokenRequest {
  readonly path: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly form: URLSearchParams;
}

/**
 * What to answer: nothing (`hang`), RST, FIN, an HTTP response, or any of these after a promise. Objects as `body`
 * are sent as JSON. `truncated`: the connection ends in the middle of the body.
 */
export type TokenAnswer =
  | "hang"
  | "reset"
  | "close"
  | {
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Readonly<Record<string, unknown>>;
    readonly truncated?: boolean;
  }
  | { readonly until: Promise<unknown>; readonly then: TokenAnswer };

/** An answer, or a function that makes one. */
export type TokenAnswerSource = TokenAnswer | ((request: TokenRequest) => TokenAnswer);

/** A running endpoint on 127.0.0.1. Without instructions each request gets another token, good for an hour. */
export class ScriptedTokenEndpoint implements AsyncDisposable {
  /** Every request so far. */
  readonly requests: TokenRequest[] = [];
  /** Most requests that were unanswered at once. */
  highestOpenRequests = 0;
  readonly #server: net.Server;
  readonly #sockets = new Map<Socket, Promise<void>>();
  readonly #once: TokenAnswerSource[] = [];
  readonly #watchers = new Set<() => void>();
  #always: TokenAnswerSource | undefined;
  #openRequests = 0;

  private constructor() {
    this.#server = net.createServer((socket) => {
      socket.on("error", () => {}); // "close" follows
      this.#sockets.set(socket, this.#serve(socket).finally(() => this.#sockets.delete(socket)));
    });
  }

  /** Starts an endpoint. */
  static async start(): Promise<ScriptedTokenEndpoint> {
    const endpoint = new ScriptedTokenEndpoint();
    await new Promise<void>((resolve, reject) => {
      endpoint.#server.once("error", reject);
      endpoint.#server.listen(0, "127.0.0.1", resolve);
    });
    return endpoint;
  }

  /** Where to send requests. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  /** Requests so far. */
  get requestCount(): number {
    return this.requests.length;
  }

  /** Answers the next request that has no other one-time answer before it. */
  once(source: TokenAnswerSource): void {
    this.#once.push(source);
  }

  /** Answers every request. Undefined brings the default back. */
  always(source: TokenAnswerSource | undefined): void {
    this.#always = source;
  }

  /** Resolves when so many requests have come in all. @throws {Error} After 10 seconds. */
  async waitForRequests(count: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => this.requests.length >= count && resolve();
    const fail = () =>
      reject(new Error(`The token endpoint has ${this.requests.length} requests, not ${count}`));
    const timer = setTimeout(fail, 10_000);
    this.#watchers.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
    await Promise.all(this.#sockets.values());
  }

  async #serve(socket: Socket): Promise<void> {
    const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const reader = new SocketReader(socket);
    for (let request = await readRequest(reader); request; request = await readRequest(reader)) {
      this.requests.push(request);
      this.highestOpenRequests = Math.max(this.highestOpenRequests, ++this.#openRequests);
      const source = this.#once.shift() ?? this.#always ?? this.#defaultAnswer();
      for (const look of this.#watchers) look();
      await this.#answer(socket, typeof source === "function" ? source(request) : source, gone);
      this.#openRequests--;
    }
    socket.end();
    await gone;
  }

  async #answer(socket: Socket, answer: TokenAnswer, gone: Promise<void>): Promise<void> {
    if (answer === "hang") return await gone;
    if (answer === "reset") return void socket.resetAndDestroy();
    if (answer === "close") return void socket.end();
    if ("until" in answer) {
      await Promise.race([answer.until, gone]);
      return await this.#answer(socket, answer.then, gone);
    }
    const { status = 200, headers = {}, body = "", truncated = false } = answer;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const fields = {
      "content-type": typeof body === "string" ? "text/plain" : "application/json",
      ...headers,
    };
    const octets = new TextEncoder().encode(text);
    const lines = [
      `HTTP/1.1 ${status} Scripted`,
      ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
      `content-length: ${octets.length}`,
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    socket.write(truncated ? octets.subarray(0, octets.length >> 1) : octets);
    if (truncated) socket.end();
  }

  #defaultAnswer(): TokenAnswer {
    const body = { access_token: `token-${this.requests.length}`, token_type: "Bearer", expires_in: 3600 };
    return { body };
  }
}

/** Reads one request (RFC 9112), whose body has a Content-Length, as fetch sends forms; null at the end. */
async function readRequest(reader: SocketReader): Promise<TokenRequest | null> {
  const requestLine = await reader.readLine();
  if (!requestLine) return null;
  const headers = new Map<string, string>();
  for (;;) {
    const line = (await reader.readLine())?.toString("latin1").trim();
    if (line === undefined) return null;
    if (line === "") break;
    const [name = "", ...value] = line.split(":");
    headers.set(name.toLowerCase(), value.join(":").trim());
  }
  let body = "";
  for (let left = Number(headers.get("content-length") ?? 0); left > 0;) {
    const octets = await reader.readSome(left);
    if (!octets) return null;
    left -= octets.length;
    body += octets.toString("utf8");
  }
  return {
    path: requestLine.toString("latin1").split(" ")[1] ?? "",
    headers,
    form: new URLSearchParams(body),
  };
}
