import type { Command } from "commander";
import type { AdminClient } from "./admin_client.ts";
import type { CommandContext } from "./command_context.ts";
import { addDaemonOptions, daemonOf, type DaemonOptions } from "./daemon_options.ts";
import { jsonLine } from "./json_line.ts";

const examples = `
Examples:
  xoauth2-proxy stop
  xoauth2-proxy stop --timeout 60 --admin-port 9191

Messages under way end first, as with SIGTERM. Ends with 0 when the daemon is gone, and with 1 if it isn't.`;

const pauseMs = 50;

/** Adds `stop`. */
export function registerStop(program: Command, context: CommandContext): void {
  const command = program.command("stop")
    .description("stop the running daemon, and wait until it is gone")
    .option("--timeout <SECONDS>", "longest wait", (text) => Number(text), 30)
    .addHelpText("after", examples);
  addDaemonOptions(command).action(async ({ json, timeout }: DaemonOptions & { timeout: number }) => {
    const { CommandFailure, runCommand } = await import("./command_failure.ts");
    const { exitStatus } = await import("../lifecycle/exit_status.ts");
    await runCommand(async () => {
      if (!(timeout > 0)) {
        throw new CommandFailure("--timeout must be a number of seconds above 0", {
          status: exitStatus.usage,
        });
      }
      const daemon = await daemonOf(command, context);
      const startedMs = performance.now();
      const { pid } = await requestStop(daemon);
      if (!await isGone(daemon, startedMs + timeout * 1000)) {
        throw new CommandFailure(
          `The daemon (pid ${pid}) still drains after ${timeout} s: its log names what it waits for`,
        );
      }
      const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(2));
      context.out(
        json ? jsonLine({ success: true, pid, seconds }) : `Stopped (pid ${pid}) after ${seconds} s`,
      );
    }, { context, json });
  });
}

async function requestStop(daemon: AdminClient): Promise<{ readonly pid: unknown }> {
  const { errorOf } = await import("./admin_client.ts");
  const { CommandFailure } = await import("./command_failure.ts");
  const answer = await daemon.call("POST", "/admin/shutdown");
  if (answer.status !== 202) throw new CommandFailure(errorOf(answer));
  return { pid: answer.body["pid"] };
}

/** The admin port closes last, so a refused connection means the end. */
async function isGone(daemon: AdminClient, deadlineMs: number): Promise<boolean> {
  while (await daemon.isUp()) {
    if (performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return true;
}
