/** The commands beside `start`, `check` and `version`. */

import type { Command } from "commander";
import { registerAccount } from "./account.ts";
import type { CommandContext } from "./command_context.ts";
import { registerReload } from "./reload.ts";
import { registerSendTest } from "./send_test.ts";
import { registerStatus } from "./status.ts";
import { registerStop } from "./stop.ts";

/** Each adds one command. */
export const commands: readonly ((program: Command, context: CommandContext) => void)[] = [
  registerStop,
  registerReload,
  registerStatus,
  registerAccount,
  registerSendTest,
];
