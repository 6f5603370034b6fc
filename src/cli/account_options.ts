/** What the commands that work on the accounts file share. */

import type { Command } from "commander";
import type { CommandContext } from "./command_context.ts";
import { adminPortFile, type DaemonOptions, loadCommandSettings } from "./daemon_options.ts";
import type { LocalServices } from "./local_services.ts";
import { addStartOptions } from "./start_options.ts";
import { jsonLine } from "./json_line.ts";
import type { DaemonNotice } from "./tell_daemon.ts";

/** Adds the options that say which accounts file, and which daemon to tell of a change. */
export function addAccountOptions(command: Command): Command {
  return addStartOptions(command, ["config", "accounts", "adminHost", "adminPort"])
    .option("--token-file <FILE>", "admin token of the daemon to tell (default: where it looks)")
    .option("--json", "print JSON");
}

/** What an account command works with. */
export interface AccountWork {
  readonly services: LocalServices;
  readonly context: CommandContext;
  readonly json: boolean;
  /** Lets a running daemon take the accounts file over. */
  readonly tellDaemon: () => Promise<DaemonNotice>;
  /**
   * Lets a running daemon take the accounts file over, and tells the outcome in text or JSON.
   *
   * @param result For JSON; `text` for people.
   */
  readonly finishEdit: (result: Readonly<Record<string, unknown>>, text: string) => Promise<void>;
}

/**
 * Runs an account command on the opened accounts file; failures are told as `runCommand` does. At a signal the work ends
 * where it stands, but what `LocalServices.whole` has begun: a refresh token that the provider has rotated is to be kept.
 */
export async function runAccountCommand(
  command: Command,
  { context, work }: {
    readonly context: CommandContext;
    readonly work: (work: AccountWork) => Promise<void>;
  },
): Promise<void> {
  const { runCommand } = await import("./command_failure.ts");
  const { openLocalServices } = await import("./local_services.ts");
  const { untilSignal } = await import("./until_signal.ts");
  const { json = false, tokenFile } = command.opts<DaemonOptions>();
  await runCommand(async () => {
    const settings = await loadCommandSettings(command, context);
    await using services = await openLocalServices({ settings, env: context.env });
    const tellDaemon: AccountWork["tellDaemon"] = async () => {
      const telling = await import("./tell_daemon.ts");
      return await telling.tellDaemon({
        settings,
        env: context.env,
        tokenFile,
        portFile: adminPortFile(command, { settings, env: context.env }),
      });
    };
    const finishEdit: AccountWork["finishEdit"] = async (result, text) => {
      const notice = await tellDaemon();
      if (json) return context.out(jsonLine({ success: true, ...result, daemon: notice.outcome }));
      context.out(text);
      context.out(notice.text);
    };
    const interruption = await untilSignal(() => work({ services, context, json, tellDaemon, finishEdit }));
    if (!interruption) return;
    context.finish(interruption.status);
    if (context.isTerminal) context.err(""); // Off the line of a progress bar or a question.
    context.err(
      `Stopped by ${interruption.signal}: if a daemon runs, "xoauth2-proxy reload" tells it of what has changed`,
    );
  }, { context, json });
}
