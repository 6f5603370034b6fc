/**
 * `start --take-over`: this daemon listens beside the one that runs already, then tells that one to stop. Until it is
 * gone, the newcomer takes sessions and lets their messages wait: a provider counts the connections of both together,
 * and a refresh token that both use may rotate for one of them only.
 */

import type { Logger } from "@logtape/logtape";
import { type AdminAnswer, AdminClient, errorOf, NoDaemonError } from "../cli/admin_client.ts";
import { CommandFailure } from "../cli/command_failure.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Settings } from "../config/settings.ts";
import { abortable } from "../waiting/abortable.ts";
import { delay } from "../waiting/delay.ts";
import { withTimeout } from "../waiting/with_timeout.ts";

/** What a take-over needs. */
export interface TakeOverOptions {
  /** Of this daemon; the other one has its admin API at the same address, its token in the same place, and as long to drain. */
  readonly settings: Pick<Settings, "admin" | "stateDirectory" | "shutdownTimeoutMs">;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Gives up waiting; the other daemon stops all the same. */
  readonly signal: AbortSignal;
}

const pollMs = 20;
/** A daemon that ends takes this much longer than its longest drain at most. */
const graceMs = 3_000;

/** One take-over. */
export class TakeOver {
  readonly #options: TakeOverOptions;
  readonly #predecessor: AdminClient;
  readonly #mayDial = Promise.withResolvers<void>();

  /** @throws {ConfigError} Where two processes can't share a port. */
  constructor(options: TakeOverOptions) {
    if (Deno.build.os !== "linux") {
      const hint = "stop the daemon that runs, then start this one";
      throw new ConfigError([{
        file: "command line",
        path: "--take-over",
        message: "works on Linux only",
        hint,
      }]);
    }
    this.#options = options;
    this.#predecessor = new AdminClient(options);
  }

  /** Resolves when connections to providers may be opened; never rejects. */
  get mayDial(): Promise<void> {
    return this.#mayDial.promise;
  }

  /**
   * Whether there is a daemon to take over from.
   *
   * @throws {CommandFailure} If it doesn't take this daemon's admin token, or something else answers at its address.
   */
  async isNeeded(): Promise<boolean> {
    const { log, signal } = this.#options;
    if (
      await abortable(this.#predecessor.isUp(), signal) &&
      await this.#unlessGone(this.#predecessor.call("GET", "/admin/status"))
    ) return true;
    log.info("No daemon answers at {url}: there is nothing to take over", { url: this.#predecessor.url });
    return false;
  }

  /**
   * Tells the other daemon to stop, and waits until it has let go of its connections and its files.
   *
   * @throws {CommandFailure} If it refuses, or is still there when its longest drain must have ended; it runs on.
   * @throws The signal's reason.
   */
  async replace(): Promise<void> {
    const { log } = this.#options;
    const answer = await this.#unlessGone(this.#predecessor.call("POST", "/admin/shutdown"));
    if (!answer) {
      log.info("The daemon at {url} has ended by itself", { url: this.#predecessor.url });
      return;
    }
    if (answer.status !== 202) {
      throw new CommandFailure(`The running daemon doesn't stop: ${errorOf(answer)}`);
    }
    log.info("Taking over from pid {pid}, which drains", { pid: answer.body["pid"] });
    const startedMs = performance.now();
    // Its admin API closes when everything else has.
    await this.#gone(answer.body["pid"]);
    log.info("Took over from pid {pid} after {ms} ms", {
      pid: answer.body["pid"],
      ms: Math.round(performance.now() - startedMs),
    });
  }

  /** Lets the messages that wait go. */
  finish(): void {
    this.#mayDial.resolve();
  }

  async #gone(pid: unknown): Promise<void> {
    const { settings: { shutdownTimeoutMs }, signal } = this.#options;
    const timeoutMs = shutdownTimeoutMs + graceMs;
    try {
      await withTimeout(async (signal) => {
        while (await this.#isThere(signal)) await delay(pollMs, signal);
      }, { signal, timeoutMs });
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
      throw new CommandFailure(
        `The daemon with pid ${pid} is still there ${
          timeoutMs / 1000
        } s after it was told to stop: end it, and start this one again`,
        { cause: error },
      );
    }
  }

  /** @returns Nothing if the other daemon ended before it could answer. */
  async #unlessGone(call: Promise<AdminAnswer>): Promise<AdminAnswer | undefined> {
    try {
      return await abortable(call, this.#options.signal);
    } catch (error) {
      if (!(error instanceof NoDaemonError) || await this.#isThere(this.#options.signal)) throw error;
      return undefined;
    }
  }

  /** One that is too busy to answer is there. */
  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      return await abortable(this.#predecessor.isUp(), signal);
    } catch (error) {
      if (error instanceof CommandFailure) return true;
      throw error;
    }
  }
}
