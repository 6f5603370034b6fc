/** The program: reads the command line and runs what it names. */

import { commands } from "./cli/commands.ts";
import { runProgram } from "./cli/program.ts";

const encoder = new TextEncoder();

/**
 * Writes to a terminal, pipe or file; blocks until it is taken, so that nothing is lost at the exit. That nobody reads any
 * more, as behind `| head`, is no reason to leave work undone.
 */
function writeLine(stream: { writeSync(octets: Uint8Array): number }, line: string): void {
  let octets = encoder.encode(`${line}\n`);
  try {
    while (octets.length > 0) octets = octets.subarray(stream.writeSync(octets));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

if (import.meta.main) {
  const env = Deno.env.toObject();
  const out = (line: string) => writeLine(Deno.stdout, line);
  const status = await runProgram(Deno.args, {
    env,
    out,
    err: (line) => {
      try {
        writeLine(Deno.stderr, line);
      } catch {
        // There is nobody left to tell; the exit status does.
      }
    },
    isTerminal: Deno.stdout.isTerminal(),
    runDaemon: async (settings) => (await import("./daemon/run_daemon.ts")).runDaemon(settings, { env, out }),
    validateAccounts: async (settings) =>
      (await import("./cli/validate_accounts.ts")).validateAccounts(settings, env),
    commands,
  });
  // Not left to the event loop: a library's timer must not keep a stopped daemon alive.
  Deno.exit(status);
}
