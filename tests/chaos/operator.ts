/** Everything that an operator, a service manager and a provider's bad day do to a daemon while mail flows. */

import { join } from "node:path";
import type { ScriptedUpstream } from "../support/scripted_upstream.ts";
import type { Weather } from "./provider_faults.ts";
import type { Random } from "./random.ts";
import type { RestartableDaemon } from "./restartable_daemon.ts";
import type { TokenFaults } from "./token_faults.ts";

/** What there is to be meddled with. */
export interface OperatorOptions {
  readonly daemon: RestartableDaemon;
  readonly upstreams: readonly [ScriptedUpstream, ...ScriptedUpstream[]];
  readonly weather: Weather;
  readonly tokens: TokenFaults;
  readonly emails: readonly [string, ...string[]];
  readonly random: Random;
  /** Writes accounts.json by hand too, which is not safe beside rotating refresh tokens: a hand knows no lock. */
  readonly editsFiles: boolean;
}

type Deed =
  | "turn the weather"
  | "reload by signal"
  | "reload by API"
  | "reload with a fault"
  | "change an account"
  | "add and remove an account"
  | "edit the file"
  | "end idle connections"
  | "refuse connections"
  | "stop and start"
  | "kill and start";

/** One deed after the other. */
export class Operator {
  readonly #options: OperatorOptions;
  /** How often each was done. */
  readonly deeds = new Map<Deed, number>();
  #number = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** Meddles until the signal aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { random } = this.#options;
    while (!stop.aborted) {
      const deed = this.#choose();
      this.deeds.set(deed, (this.deeds.get(deed) ?? 0) + 1);
      await this.#do(deed);
      await pause(random.integer(20, 250));
    }
  }

  /** Ends all faults, and authorizes every account anew. */
  async heal(): Promise<void> {
    const { weather, tokens, upstreams, emails } = this.#options;
    weather.probability = 0;
    tokens.probability = 0;
    weather.stall.end();
    for (const upstream of upstreams) upstream.script.clear();
    for (const email of emails) await this.#authorize(email);
  }

  #choose(): Deed {
    const { random, editsFiles } = this.#options;
    const often: [Deed, ...Deed[]] = [
      "turn the weather",
      "turn the weather",
      "reload by signal",
      "reload by API",
      "change an account",
      "end idle connections",
    ];
    const seldom: [Deed, ...Deed[]] = [
      "reload with a fault",
      "add and remove an account",
      "refuse connections",
      "stop and start",
      "kill and start",
      ...(editsFiles ? ["edit the file" as const] : []),
    ];
    return random.pick(random.chance(0.6) ? often : seldom);
  }

  async #do(deed: Deed): Promise<void> {
    const { daemon, random, upstreams } = this.#options;
    switch (deed) {
      case "turn the weather":
        return this.#turnWeather();
      case "reload by signal":
        return daemon.hangUp();
      case "reload by API":
        return await this.#expect("POST", "/admin/reload", [200]);
      case "reload with a fault":
        return await this.#reloadWithFault();
      case "change an account":
        return await this.#authorize(random.pick(this.#options.emails));
      case "add and remove an account":
        return await this.#addAndRemove();
      case "edit the file":
        return await this.#editFile();
      case "end idle connections":
        return void random.pick(upstreams).endIdleConnections(random.pick(["close", "reset", "421"]));
      case "refuse connections":
        return await this.#refuse(random.pick(upstreams));
      case "stop and start":
        await daemon.end(random.pick(["SIGTERM", "SIGINT"]));
        return await daemon.start();
      case "kill and start":
        await daemon.end("SIGKILL");
        return await daemon.start();
    }
  }

  #turnWeather(): void {
    const { weather, tokens, random } = this.#options;
    weather.probability = random.pick([0, 0.01, 0.01, 0.05, 0.15]);
    tokens.probability = random.pick([0, 0.1, 0.4]);
    weather.stall.end();
  }

  async #expect(method: string, path: string, statuses: readonly number[], body?: unknown): Promise<void> {
    const { daemon } = this.#options;
    const answer = await daemon.call(method, path, body);
    if (statuses.includes(answer.status)) return;
    daemon.complaints.push(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  async #reloadWithFault(): Promise<void> {
    const file = join(this.#options.daemon.directory, "config.json");
    const good = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, good.slice(0, good.length >> 1));
    await this.#expect("POST", "/admin/reload", [422]);
    await Deno.writeTextFile(file, good);
  }

  async #authorize(email: string): Promise<void> {
    const refresh_token = `authorized-${++this.#number}`;
    await this.#options.tokens.whileChanging(
      email,
      refresh_token,
      () => this.#expect("PATCH", `/admin/accounts/${email}`, [200], { refresh_token }),
    );
  }

  async #addAndRemove(): Promise<void> {
    const email = `extra-${++this.#number}@example.com`;
    const account = {
      email,
      provider: "alpha",
      client_id: email,
      refresh_token: "extra",
      password: "extra",
      verify: false,
    };
    await this.#expect("POST", "/admin/accounts", [200, 201], account);
    await this.#expect("DELETE", `/admin/accounts/${email}`, [200]);
  }

  async #editFile(): Promise<void> {
    const { daemon } = this.#options;
    const file = join(daemon.directory, "accounts.json");
    const records = JSON.parse(await Deno.readTextFile(file));
    const kept = records.filter(({ email }: { email: string }) => !email.startsWith("by-hand-"));
    const email = `by-hand-${++this.#number}@example.com`;
    kept.push({ email, provider: "beta", client_id: email, refresh_token: "by hand" });
    await Deno.writeTextFile(`${file}.new`, JSON.stringify(kept), { mode: 0o600 });
    await Deno.rename(`${file}.new`, file);
    daemon.hangUp();
  }

  async #refuse(upstream: ScriptedUpstream): Promise<void> {
    upstream.refuseConnections();
    await pause(this.#options.random.integer(20, 200));
    await upstream.acceptConnections();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
