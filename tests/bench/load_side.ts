/** The three ways from the loader to the sink, and one load over one of them. */

import { ACCESS_TOKEN, type Bench, HOSTNAME, PASSWORD } from "./bench.ts";
import { JsonProcess } from "./json_process.ts";
import type { LoadResult } from "./load.ts";
import type { LoaderOptions } from "./loader.ts";
import type { ProxyProcess } from "./proxy_process.ts";
import { mailboxes } from "./proxy_files.ts";
import type { SinkProcess } from "./sink_process.ts";
import type { SketchEndpoint, SketchOptions } from "./sketch.ts";

/** Where the loader connects and how it signs in. */
export type LoadSide = Pick<LoaderOptions, "hostname" | "port" | "caCertificate" | "mechanism" | "password">;

/** What the loader does there; the rest has defaults. */
export type LoadShape =
  & Pick<LoaderOptions, "sessions">
  & Partial<Omit<LoaderOptions, keyof LoadSide | "users">>
  & { readonly accounts?: number };

/** Straight to the sink: TLS and XOAUTH2. */
export function directSide({ caCertificate }: Bench, sink: SinkProcess): LoadSide {
  const { tlsPort: port } = sink.endpoints;
  return { hostname: HOSTNAME, port, caCertificate, mechanism: "xoauth2", password: ACCESS_TOKEN };
}

/** Through the proxy, as its clients do: no TLS, AUTH PLAIN. */
export function proxySide(proxy: ProxyProcess): LoadSide {
  return { hostname: HOSTNAME, port: proxy.port, mechanism: "plain", password: PASSWORD };
}

/** A relay without features in the proxy's place. */
export class SketchProcess implements AsyncDisposable {
  readonly side: LoadSide;
  readonly #process: JsonProcess;

  private constructor(process: JsonProcess, { port }: SketchEndpoint) {
    this.#process = process;
    this.side = { hostname: HOSTNAME, port, mechanism: "plain", password: PASSWORD };
  }

  static async start(bench: Bench, sink: SinkProcess): Promise<SketchProcess> {
    const options: SketchOptions = { upstream: directSide(bench, sink) };
    const process = JsonProcess.start("sketch.ts", { options, signal: bench.signal });
    return new SketchProcess(process, await process.next<SketchEndpoint>());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** A loader at work. */
export class RunningLoad implements AsyncDisposable {
  readonly #process: JsonProcess;

  private constructor(process: JsonProcess) {
    this.#process = process;
  }

  /** Starts a loader and waits until all of its sessions have signed in. */
  static async start({ signal }: Bench, side: LoadSide, shape: LoadShape): Promise<RunningLoad> {
    const { accounts = 1, ...rest } = shape;
    const options: LoaderOptions = { ...DEFAULTS, ...rest, ...side, users: mailboxes(accounts) };
    const process = JsonProcess.start("loader.ts", { options, signal });
    await process.next();
    return new RunningLoad(process);
  }

  /** Waits for the end of the load. */
  result(): Promise<LoadResult> {
    return this.#process.next<LoadResult>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** Runs one load from start to end. */
export async function runLoad(bench: Bench, side: LoadSide, shape: LoadShape): Promise<LoadResult> {
  await using load = await RunningLoad.start(bench, side, shape);
  return await load.result();
}

/** @returns What failed in a load, for a figure's notes. */
export function failureNotes(name: string, { failures }: LoadResult): string[] {
  return Object.entries(failures).map(([text, count]) => `${name}: ${count} × ${text}`);
}

const DEFAULTS = {
  messageOctets: 4096,
  pipelining: true,
  connectsPerMessage: false,
  warmUpSeconds: 0,
  keepsNumbers: false,
  holds: false,
};
