import type { Command } from "commander";
import type { CommandContext } from "./command_context.ts";
import { addDaemonOptions, daemonOf, type DaemonOptions } from "./daemon_options.ts";
import { jsonLine } from "./json_line.ts";

const examples = `
Examples:
  xoauth2-proxy reload
  xoauth2-proxy reload --json

Ends with 0 when the new settings are in force, and with 1 if they have faults: then nothing has changed.`;

/** Adds `reload`. */
export function registerReload(program: Command, context: CommandContext): void {
  const command = program.command("reload")
    .description("let the running daemon read its settings, accounts and certificates again")
    .addHelpText("after", examples);
  addDaemonOptions(command).action(async ({ json }: DaemonOptions) => {
    const { runCommand } = await import("./command_failure.ts");
    await runCommand(async () => {
      const daemon = await daemonOf(command, context);
      const { status, body } = await daemon.call("POST", "/admin/reload", { timeoutMs: 120_000 });
      if (status !== 200) context.finish(1);
      if (json) context.out(jsonLine(body));
      else print(body, context);
    }, { context, json });
  });
}

interface ReloadBody {
  readonly success?: boolean;
  readonly error?: string;
  readonly details?: readonly { readonly path: string; readonly message: string; readonly hint: string }[];
  readonly difference?: Readonly<Record<string, unknown>>;
  readonly duration_ms?: number;
}

function print(body: ReloadBody, { out, err }: CommandContext): void {
  if (!body.success) {
    err(`error: ${body.error}`);
    for (const { path, message, hint } of body.details ?? []) {
      err(`  ${path === "" ? "" : `${path}: `}${message}`);
      if (hint !== "") err(`    hint: ${hint}`);
    }
    return;
  }
  const { difference = {}, duration_ms } = body;
  const isSame = Object.keys(difference).length === 0;
  out(`Reloaded in ${duration_ms} ms${isSame ? ": nothing has changed" : ""}`);
  if (!isSame) out(describeDifference(difference).join("\n"));
}

/** `{settings: {accounts: {added: ["a"]}}}` as lines `accounts added: a`. */
function describeDifference(value: object, names: readonly string[] = []): string[] {
  return Object.entries(value).flatMap(([name, part]) => {
    if (Array.isArray(part)) {
      const shown = part.slice(0, 10).join(", ");
      return part.length === 0
        ? []
        : [`  ${[...names, name].join(" ")}: ${shown}${part.length > 10 ? `, … (${part.length})` : ""}`];
    }
    if (typeof part !== "object" || part === null) return [`  ${[...names, name].join(" ")}: ${part}`];
    return describeDifference(
      part,
      names.length === 0 ? [name].filter((own) => own !== "settings") : [...names, name],
    );
  });
}
