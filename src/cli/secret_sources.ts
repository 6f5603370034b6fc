/** Secrets never stand on a command line, which every user of the machine can read: they come from a file, a pipe or a prompt. */

import type { CommandContext } from "./command_context.ts";
import { CommandFailure } from "./command_failure.ts";
import { exitStatus } from "../lifecycle/exit_status.ts";
import { type CommandInput, TerminalInput } from "./terminal_input.ts";

/** The input of a command. */
export function inputOf({ input }: CommandContext): CommandInput {
  return input ?? new TerminalInput();
}

/** One secret and where it may come from. */
export interface SecretRequest {
  readonly input: CommandInput;
  /** Path of a file with the secret; `-` is standard input. */
  readonly file?: string | undefined;
  /** Asked for on a terminal, without echo; absent: nobody is asked. */
  readonly question?: string | undefined;
}

/**
 * Reads a secret. Blanks and line ends around it don't count.
 *
 * @returns Nothing if none is given.
 * @throws {CommandFailure} If the file can't be read, or nothing is in it.
 */
export async function readSecret({ input, file, question }: SecretRequest): Promise<string | undefined> {
  if (file !== undefined) {
    const secret = (await (file === "-" ? input.readAll() : readFile(file))).trim();
    if (secret !== "") return secret;
    // What was to fill it may have failed, and an account without a password is open to this machine.
    const name = file === "-" ? "standard input" : `"${file}"`;
    throw new CommandFailure(`Nothing is in ${name}, which is to hold a secret`, {
      status: exitStatus.usage,
    });
  }
  if (question === undefined || !input.isTerminal) return undefined;
  return await input.askSecret(question) || undefined;
}

/** Only one secret can come from standard input. @throws {CommandFailure} If several are to. */
export function requireOnePipe(files: readonly (string | undefined)[]): void {
  if (files.filter((file) => file === "-").length < 2) return;
  throw new CommandFailure(
    'Only one secret can be "-", standard input: give files for the others',
    { status: exitStatus.usage },
  );
}

async function readFile(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandFailure(`Cannot read "${file}": ${error.name}`, { cause: error });
  }
}
