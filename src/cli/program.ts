import { Command, CommanderError } from "commander";
import { nearestKey } from "../config/nearest_key.ts";
import type { Environment } from "../config/platform_places.ts";
import { registerCheck, type ValidateAccounts } from "./check.ts";
import type { CommandContext } from "./command_context.ts";
import { OutputFailure } from "./command_failure.ts";
import { exitStatus } from "../lifecycle/exit_status.ts";
import type { CommandInput } from "./terminal_input.ts";
import { registerStart, type RunDaemon } from "./start.ts";
import { printable } from "./styled.ts";
import { registerVersion } from "./version.ts";
import { versionNumber } from "../version_number.ts";

/** What the command line is built on; `main.ts` supplies it, tests supply their own. */
export interface ProgramOptions {
  readonly env: Environment;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly isTerminal: boolean;
  /** Default: standard input. */
  readonly input?: CommandInput;
  /** Loads the daemon's code only when called. */
  readonly runDaemon: RunDaemon;
  /** Likewise. */
  readonly validateAccounts: ValidateAccounts;
  /** Adds further commands, one function for each. */
  readonly commands?: readonly ((program: Command, context: CommandContext) => void)[];
}

/**
 * Runs one command line, and resolves with the exit status.
 *
 * @param args Without the program's own name.
 */
export async function runProgram(args: readonly string[], options: ProgramOptions): Promise<number> {
  let status: number = exitStatus.clean;
  const { out, err, isTerminal } = options;
  const context: CommandContext = {
    ...options,
    out: (line) => writeOut(printable(line, isTerminal), out),
    err: (line) => err(printable(line, isTerminal)),
    finish: (ended) => status = ended,
  };
  const program = createProgram(context, options);
  const unknown = unknownCommand(args, program);
  if (unknown !== undefined) {
    context.err(unknown);
    return exitStatus.usage;
  }
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof OutputFailure) {
      context.err(`error: ${error.message}`);
      return error.status;
    }
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for is thrown with 0 as well.
    return error.exitCode === 0 ? exitStatus.clean : exitStatus.usage;
  }
  return status;
}

/** @throws {OutputFailure} If it can't be written. */
function writeOut(line: string, out: (line: string) => void): void {
  try {
    out(line);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new OutputFailure(`Cannot write to standard output: ${error.message}`, { cause: error });
  }
}

function createProgram(context: CommandContext, options: ProgramOptions): Command {
  const program = new Command("xoauth2-proxy")
    .description("SMTP submission with passwords on one side and XOAUTH2 on the other")
    .version(versionNumber, "-V, --version", "print the version")
    .exitOverride()
    .showHelpAfterError("(add --help for all options, and an example)")
    .configureOutput({
      writeOut: (text) => context.out(text.trimEnd()),
      writeErr: (text) => context.err(text.trimEnd()),
      getOutHasColors: () => context.isTerminal,
      getErrHasColors: () => false,
    })
    .addHelpText(
      "after",
      "\nExample:\n  xoauth2-proxy --sandbox\n\nOptions of start can be given without its name.",
    );
  registerStart(program, context, options.runDaemon);
  registerCheck(program, context, options.validateAccounts);
  for (const register of options.commands ?? []) register(program, context);
  registerVersion(program, context);
  return program;
}

/** With a default command, commander would take an unknown word for that command's argument. */
function unknownCommand(args: readonly string[], program: Command): string | undefined {
  const [first] = args;
  if (first === undefined || first.startsWith("-")) return undefined;
  const names = [...program.commands.map((command) => command.name()), "help"];
  if (names.includes(first)) return undefined;
  const nearest = nearestKey(first, names);
  const hint = nearest === undefined ? `commands are ${names.join(", ")}` : `did you mean "${nearest}"?`;
  return `error: unknown command "${first}" (${hint})`;
}
