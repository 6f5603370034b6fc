/**
 * The sandbox as a process of its own: `deno run --no-prompt -P=daemon src/sandbox/main.ts --directory DIR`.
 *
 * Prints JSON lines: one when it is ready, one for each message received. Ends on SIGTERM and SIGINT.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { hashPassword } from "../accounts/password_hash.ts";
import type { ReceivedMessage } from "./message_ledger.ts";
import { createProxyFiles } from "./proxy_files.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";
import type { RefusalStyle } from "./submission_service.ts";
import type { SandboxAccount } from "./token_issuer.ts";

/** The line that is printed when both services listen and the files are written. */
export interface SandboxReadyLine {
  readonly event: "ready";
  readonly smtp: Sandbox["smtp"];
  readonly tokenUrl: string;
  readonly caFile: string;
  /** For the proxy: the sandbox as a provider, its mailbox as an account. */
  readonly configFile: string;
  readonly accountsFile: string;
  readonly account: SandboxAccount;
}

/** The line that is printed for each message. */
export interface SandboxMessageLine {
  readonly event: "message";
  readonly account: string;
  readonly reversePath: string;
  readonly forwardPaths: readonly string[];
  readonly octets: number;
  /** Of the mail data after the transparency procedure, in hexadecimal. */
  readonly sha256: string;
  /** Text of the final reply, behind its codes. */
  readonly replyText: string;
  /** Where the mail data was written. */
  readonly file: string;
  /** Token requests since the start. */
  readonly tokenRequestCount: number;
}

interface CommandOptions {
  readonly directory: string;
  readonly email?: string;
  readonly smtpPort: number;
  readonly tokenPort: number;
  readonly security: "starttls" | "tls";
  readonly refusalStyle: RefusalStyle;
  readonly tokenLifeSeconds: number;
}

/** EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64;

/** Runs the sandbox until SIGTERM or SIGINT. @returns The exit code. */
export async function runSandboxCommand(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === "number") return options;
  const stop = new AbortController();
  using _signals = abortOnSignals(stop);
  await Deno.mkdir(join(options.directory, "messages"), { recursive: true });
  await using sandbox = await startSandbox({ ...options, caFile: join(options.directory, "ca.pem") });
  printLine(await writeProxyFiles(sandbox, options.directory));
  try {
    for (let number = 1;; number++) {
      const message = await sandbox.waitForMessage(stop.signal);
      const file = join(options.directory, "messages", `${String(number).padStart(4, "0")}.eml`);
      await Deno.writeFile(file, message.mailData);
      printLine(describeMessage(message, { file, tokenRequestCount: sandbox.tokenRequestCount }));
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return 0;
}

/** @returns The options, or the exit code when there is nothing to run. */
function parseOptions(args: readonly string[]): CommandOptions | number {
  const command = new Command("sandbox")
    .description(
      "A mail provider for trying xoauth2-proxy: token endpoint and XOAUTH2-only SMTP on this machine.",
    )
    .requiredOption("--directory <dir>", "where the CA, received messages and the proxy's files are written")
    .option("--email <address>", "mailbox that is there from the start")
    .option("--smtp-port <port>", "0 picks a free one", parsePort, 0)
    .option("--token-port <port>", "0 picks a free one", parsePort, 0)
    .option("--token-life-seconds <seconds>", "life of access tokens", Number, 3600)
    .addOption(new Option("--security <kind>").choices(["starttls", "tls"]).default("starttls"))
    .addOption(new Option("--refusal-style <provider>").choices(["google", "microsoft"]).default("google"))
    .addHelpText(
      "after",
      "\nExample: deno run --no-prompt -P=daemon src/sandbox/main.ts --directory /tmp/sandbox",
    )
    .exitOverride();
  try {
    return command.parse(args, { from: "user" }).opts<CommandOptions & Record<string, unknown>>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError("A port is a number up to 65535.");
  return port;
}

function abortOnSignals(stop: AbortController): Disposable {
  const onSignal = () => stop.abort();
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
    },
  };
}

async function writeProxyFiles(sandbox: Sandbox, directory: string): Promise<SandboxReadyLine> {
  const configFile = join(directory, "config.json");
  const accountsFile = join(directory, "accounts.json");
  const files = await createProxyFiles({ sandbox, accounts: [sandbox.account], hashPassword });
  await Deno.writeTextFile(configFile, `${JSON.stringify(files.config, null, 2)}\n`);
  await Deno.writeTextFile(accountsFile, `${JSON.stringify(files.accounts, null, 2)}\n`, { mode: 0o600 });
  const { smtp, tokenUrl, caFile = "", account } = sandbox;
  return { event: "ready", smtp, tokenUrl, caFile, configFile, accountsFile, account };
}

function describeMessage(
  message: ReceivedMessage,
  { file, tokenRequestCount }: { file: string; tokenRequestCount: number },
): SandboxMessageLine {
  const { mailData, ...rest } = message;
  const sha256 = createHash("sha256").update(mailData).digest("hex");
  return { event: "message", ...rest, octets: mailData.length, sha256, file, tokenRequestCount };
}

function printLine(line: SandboxReadyLine | SandboxMessageLine): void {
  const octets = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
  for (let sent = 0; sent < octets.length;) sent += Deno.stdout.writeSync(octets.subarray(sent));
}

if (import.meta.main) Deno.exitCode = await runSandboxCommand(Deno.args);
