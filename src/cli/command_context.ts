import type { Environment } from "../config/platform_places.ts";
import type { CommandInput } from "./terminal_input.ts";

/** What every command is given: the terminal, the environment and a way to say how it ended. */
export interface CommandContext {
  readonly env: Environment;
  /** Writes a line to standard output. */
  readonly out: (line: string) => void;
  /** Writes a line to standard error. */
  readonly err: (line: string) => void;
  /** Standard output is a terminal, so colours and progress are welcome. */
  readonly isTerminal: boolean;
  /** Where answers and piped secrets come from. Default: standard input. */
  readonly input?: CommandInput;
  /** Sets the exit status; without a call it is 0. */
  readonly finish: (status: number) => void;
}
