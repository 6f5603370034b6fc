import type { Environment } from "../config/platform_places.ts";

/** What every command is given: the terminal, the environment and a way to say how it ended. */
export interface CommandContext {
  readonly env: Environment;
  /** Writes a line to standard output. */
  readonly out: (line: string) => void;
  /** Writes a line to standard error. */
  readonly err: (line: string) => void;
  /** Standard output is a terminal, so colours and progress are welcome. */
  readonly isTerminal: boolean;
  /** Sets the exit status; without a call it is 0. */
  readonly finish: (status: number) => void;
}
