/** The program: reads the command line and runs what it names. */

import { runProgram } from "./cli/program.ts";
import { commands } from "./cli/commands.ts";

if (import.meta.main) {
  const encoder = new TextEncoder();
  const env = Deno.env.toObject();
  const out = (line: string) => writeLine(Deno.stdout, line);
  const status = await runProgram(Deno.args, {
    env,
    out,
    err: (line) => writeLine(Deno.stderr, line),
    isTerminal: Deno.stdout.isTerminal(),
    runDaemon: async (settings) => (await import("./daemon/run_daemon.ts")).runDaemon(settings, { env, out }),
    validateAccounts: async (settings) =>
      (await import("./cli/validate_accounts.ts")).validateAccounts(settings, env),
    commands,
  });
  Deno.exit(status);

  function writeLine(stream: { writeSync(octets: Uint8Array): number }, line: string): void {
    let octets = encoder.encode(`${line}\n`);
    while (octets.length > 0) octets = octets.subarray(stream.writeSync(octets));
  }
}
