/** Runs the life cycle fixture as a process. */

import { fileURLToPath } from "node:url";
import { ChildProcess } from "../support/child_process.ts";

/** Path of the program; see there for what it can be told to do. */
export const fixturePath = fileURLToPath(new URL("./lifecycle_fixture.ts", import.meta.url));

/** Arguments of `deno` that run it at the given work. */
export function fixtureArguments(work: string): string[] {
  return ["run", "--no-prompt", "--quiet", "--cached-only", "-A", fixturePath, work];
}

/** Starts the fixture at the given work. */
export function startFixture(work: string, env: Record<string, string> = {}): ChildProcess {
  return ChildProcess.spawn({
    command: [Deno.execPath(), ...fixtureArguments(work)],
    env: { NOTIFY_SOCKET: "", ...env },
  });
}

/** Resolves when a line of standard output matches; a line that has come already counts too. */
export function waitForText(process: ChildProcess, pattern: RegExp): Promise<string> {
  return process.waitForLine(({ stdout }) => stdout.find((line) => pattern.test(line)), {
    what: String(pattern),
  });
}
