import type { Command } from "commander";
import type { CommandContext } from "./command_context.ts";
import { versionNumber } from "../version_number.ts";
import { jsonLine } from "./json_line.ts";

/** Adds `version`. */
export function registerVersion(program: Command, context: CommandContext): void {
  program.command("version")
    .description("print the versions of the program and of its runtime")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  xoauth2-proxy version --json")
    .action(({ json }: { json?: boolean }) => {
      const { deno, v8 } = Deno.version;
      const { os, arch } = Deno.build;
      const human = `xoauth2-proxy ${versionNumber} (Deno ${deno}, V8 ${v8}, ${os} ${arch})`;
      context.out(json ? jsonLine({ version: versionNumber, deno, v8, os, arch }) : human);
    });
}
