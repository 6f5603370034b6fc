import type { Command } from "commander";
import type { CommandContext } from "./command_context.ts";
import { addDaemonOptions, daemonOf, type DaemonOptions } from "./daemon_options.ts";
import { jsonLine } from "./json_line.ts";

const examples = `
Examples:
  xoauth2-proxy status
  xoauth2-proxy status --all
  xoauth2-proxy status --json | jq '.account_states'

Ends with 0 when the daemon answers, and with 1 when none does.`;

/** Adds `status`. */
export function registerStatus(program: Command, context: CommandContext): void {
  const command = program.command("status")
    .description("show how the running daemon stands, on one screen")
    .option("--all", "show every account")
    .addHelpText("after", examples);
  addDaemonOptions(command).action(async ({ json, all = false }: DaemonOptions & { all?: boolean }) => {
    const { CommandFailure, runCommand } = await import("./command_failure.ts");
    const { errorOf } = await import("./admin_client.ts");
    await runCommand(async () => {
      const daemon = await daemonOf(command, context);
      const answer = await daemon.call("GET", "/admin/status");
      if (answer.status !== 200) throw new CommandFailure(errorOf(answer));
      if (json) return context.out(jsonLine(answer.body));
      const { statusLines } = await import("./status_screen.ts");
      const lines = statusLines(answer.body as never, { all, isTerminal: context.isTerminal });
      context.out(lines.join("\n"));
    }, { context, json });
  });
}
