/** The sink as a row sees it. */

import { type Bench, HOSTNAME } from "./bench.ts";
import { JsonProcess } from "./json_process.ts";
import type { SinkEndpoints } from "./sink.ts";
import type { SinkBehaviour, SinkCounts } from "./sink_ledger.ts";

/** A running sink; disposing ends it. */
export class SinkProcess implements AsyncDisposable {
  readonly #process: JsonProcess;
  readonly endpoints: SinkEndpoints;

  private constructor(process: JsonProcess, endpoints: SinkEndpoints) {
    this.#process = process;
    this.endpoints = endpoints;
  }

  /** Starts a sink and waits until it listens. */
  static async start({ server, signal }: Bench, behaviour: SinkBehaviour = {}): Promise<SinkProcess> {
    const process = JsonProcess.start("sink.ts", { options: { ...server, ...behaviour }, signal });
    return new SinkProcess(process, await process.next<SinkEndpoints>());
  }

  counts(): Promise<SinkCounts> {
    return this.#get("counts");
  }

  /** Resolves when the sink has accepted `messages` since its start. */
  async accepted(messages: number): Promise<void> {
    await this.#get(`accepted?messages=${messages}`);
  }

  /** Numbers of the accepted messages, if the sink keeps them. */
  numbers(): Promise<readonly number[]> {
    return this.#get("numbers");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #get<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`http://${HOSTNAME}:${this.endpoints.httpPort}/${path}`);
    return await response.json();
  }
}
