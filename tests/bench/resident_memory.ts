/** Resident memory of another process, seen from outside. */

const MIB = 1024 * 1024;

/** @returns Resident octets of the process `pid` now, as ps(1) counts. */
export async function residentOctets(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] }).output();
  const kibibytes = Number(new TextDecoder().decode(stdout));
  if (!(kibibytes > 0)) throw new Error(`Cannot read the memory of process ${pid}: ps knows no such process`);
  return kibibytes * 1024;
}

/** Samples a process's memory until it is disposed. */
export class ResidentMemoryWatch implements AsyncDisposable {
  readonly #pid: number;
  readonly #stop = Promise.withResolvers<void>();
  readonly #watching: Promise<void>;
  #stopped = false;
  #highestOctets = 0;

  /** @param pid The process; it has to outlive the watch. */
  constructor(pid: number) {
    this.#pid = pid;
    this.#watching = this.#watch();
  }

  /** The most that was seen. */
  get highestOctets(): number {
    return this.#highestOctets;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      this.#highestOctets = Math.max(this.#highestOctets, await residentOctets(this.#pid));
      await Promise.race([this.#stop.promise, pause(SAMPLE_INTERVAL_MS)]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#stop.resolve();
    await this.#watching;
  }
}

const SAMPLE_INTERVAL_MS = 200;

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** @returns `octets` in MiB. */
export function mebibytes(octets: number): number {
  return octets / MIB;
}
