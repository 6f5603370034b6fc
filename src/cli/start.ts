import type { Command } from "commander";
import type { StartSettings } from "../config/start_setting.ts";
import type { CommandContext } from "./command_context.ts";
import { addStartOptions, startSettingsOf } from "./start_options.ts";

/** Runs the daemon until it has stopped, and resolves with the exit status. */
export type RunDaemon = (settings: StartSettings) => Promise<number>;

const examples = `
Examples:
  xoauth2-proxy --sandbox                        try it without an account anywhere
  xoauth2-proxy start --config /etc/proxy.json   run with these settings
  xoauth2-proxy start --dry-run --log-level debug`;

/** Adds `start`, which is also what runs without the name of a command. */
export function registerStart(program: Command, context: CommandContext, runDaemon: RunDaemon): void {
  const command = program.command("start", { isDefault: true })
    .description("run the proxy until it is told to stop (the default command)")
    .addHelpText("after", examples);
  addStartOptions(command).action(async () => context.finish(await runDaemon(startSettingsOf(command))));
}
