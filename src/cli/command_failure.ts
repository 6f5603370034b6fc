import { ConfigError, type Finding } from "../config/config_error.ts";
import type { CommandContext } from "./command_context.ts";
import { exitStatus } from "../lifecycle/exit_status.ts";
import { styled } from "./styled.ts";
import { jsonLine } from "./json_line.ts";

/** A command that could not do its work. The message says why and what to do. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";

  /** Exit status of the command. */
  readonly status: number;

  /** `status`: default 1. */
  constructor(
    message: string,
    { status = exitStatus.failure, ...options }: ErrorOptions & { readonly status?: number } = {},
  ) {
    super(message, options);
    this.status = status;
  }
}

/** Standard output can't be written, as on a full disk: what a command had to say is not said. */
export class OutputFailure extends CommandFailure {}

/** How a command answers. */
export interface OutputOptions {
  /** One JSON object on standard output in place of text. */
  readonly json?: boolean | undefined;
}

/** Runs a command's work. A failure is told in a line or two; at `XOAUTH2_LOG_LEVEL=debug` with the place in the code. */
export async function runCommand(
  work: () => Promise<void>,
  { context, json }: OutputOptions & { readonly context: CommandContext },
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { status, message, findings } = describe(error);
    context.finish(status);
    if (/^(debug|trace)$/i.test(context.env["XOAUTH2_LOG_LEVEL"] ?? "")) context.err(`${error.stack}`);
    if (json && !(error instanceof OutputFailure)) {
      return context.out(jsonLine({ success: false, error: message, details: findings }));
    }
    context.err(`${styled("error:", "red", context.isTerminal)} ${message}`);
    for (const { file, path, message: what, hint } of findings) {
      context.err(`  ${[file, path].filter((part) => part !== "").join(": ")}: ${what}`);
      if (hint !== "") context.err(`    hint: ${hint}`);
    }
  }
}

function describe(error: Error): { status: number; message: string; findings: readonly Finding[] } {
  if (error instanceof CommandFailure) {
    return { status: error.status, message: error.message, findings: [] };
  }
  if (error instanceof ConfigError) {
    const message = "The configuration can't be used (see xoauth2-proxy check)";
    return { status: exitStatus.config, message, findings: error.findings };
  }
  return { status: exitStatus.failure, message: error.message, findings: [] };
}
