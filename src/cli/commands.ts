/** The commands beside `start`, `check` and `version`. */

import type { Command } from "commander";
import type { CommandContext } from "./command_context.ts";

/** Each adds one command. */
export const commands: readonly ((program: Command, context: CommandContext) => void)[] = [];
