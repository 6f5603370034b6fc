/** Command lines run in this process, on files of the test's own. */

import { join } from "node:path";
import { commands } from "../../src/cli/commands.ts";
import { runProgram } from "../../src/cli/program.ts";
import type { CommandInput } from "../../src/cli/terminal_input.ts";
import { validateAccounts } from "../../src/cli/validate_accounts.ts";
import { adminToken } from "./admin_fixture.ts";

/** What a command line said and how it ended. */
export interface CliResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  // deno-lint-ignore no-explicit-any -- tests look at whatever came
  readonly json: any;
}

/** A terminal or pipe that answers what a test wants, and keeps what it was asked. */
export class ScriptedInput implements CommandInput {
  readonly asked: string[] = [];
  readonly #answers: string[];
  readonly #piped: string;

  constructor(
    readonly isTerminal: boolean,
    { answers = [], piped = "" }: { readonly answers?: readonly string[]; readonly piped?: string } = {},
  ) {
    this.#answers = [...answers];
    this.#piped = piped;
  }

  ask(question: string): Promise<string> {
    return this.#answer(question);
  }

  askSecret(question: string): Promise<string> {
    return this.#answer(`${question} (secret)`);
  }

  readAll(): Promise<string> {
    return Promise.resolve(this.#piped);
  }

  #answer(question: string): Promise<string> {
    this.asked.push(question);
    const answer = this.#answers.shift();
    return answer === undefined
      ? Promise.reject(new Error(`Nobody answers "${question}"`))
      : Promise.resolve(answer);
  }
}

/** A folder with config.json and accounts.json. */
export class CliFixture implements AsyncDisposable {
  private constructor(readonly directory: string) {}

  /** Writes the files. */
  static async create(
    config: Readonly<Record<string, unknown>> = {},
    accounts: readonly Readonly<Record<string, unknown>>[] = [],
  ): Promise<CliFixture> {
    const fixture = new CliFixture(await Deno.makeTempDir({ prefix: "xoauth2-proxy-cli-" }));
    await fixture.write("config.json", JSON.stringify(config));
    await fixture.write("accounts.json", JSON.stringify(accounts));
    return fixture;
  }

  /** Writes a file. @returns Its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.directory, name);
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    return path;
  }

  /** The accounts as they stand on disk. */
  // deno-lint-ignore no-explicit-any -- tests look at whatever stands there
  async records(): Promise<any[]> {
    return JSON.parse(await Deno.readTextFile(join(this.directory, "accounts.json")));
  }

  /** The options that lead to these files, and to a port where no daemon is. */
  get options(): string[] {
    const path = (name: string) => join(this.directory, name);
    return ["--config", path("config.json"), "--accounts", path("accounts.json"), "--admin-port", "9"];
  }

  /** Runs a command with the fixture's options behind it. */
  async run(
    args: readonly string[],
    { input = new ScriptedInput(false), env = {}, onError = () => {}, options = [] }: {
      readonly input?: CommandInput;
      readonly env?: Readonly<Record<string, string>>;
      readonly onError?: (line: string) => void;
      /** Behind the fixture's own, in whose place they count. */
      readonly options?: readonly string[];
    } = {},
  ): Promise<CliResult> {
    const known = { XOAUTH2_ADMIN_TOKEN: adminToken, STATE_DIRECTORY: join(this.directory, "state") };
    return await runCli([...args, ...this.options, ...options], {
      input,
      env: { ...known, ...env },
      onError,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Runs a command line. */
export async function runCli(
  args: readonly string[],
  { input = new ScriptedInput(false), env = {}, onError = () => {} }: {
    readonly input?: CommandInput;
    readonly env?: Readonly<Record<string, string>>;
    readonly onError?: (line: string) => void;
  } = {},
): Promise<CliResult> {
  const out: string[] = [];
  const err: string[] = [];
  const status = await runProgram(args, {
    env,
    out: (line) => out.push(line),
    err(line) {
      err.push(line);
      onError(line);
    },
    isTerminal: false,
    input,
    runDaemon: () => Promise.reject(new Error("No daemon is wanted here")),
    validateAccounts: (settings) => validateAccounts(settings, env),
    commands,
  });
  const text = out.join("\n");
  return {
    status,
    out: text,
    err: err.join("\n"),
    json: text.startsWith("{") ? JSON.parse(text) : undefined,
  };
}
