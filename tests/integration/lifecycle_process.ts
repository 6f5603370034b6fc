/** Runs the life cycle fixture as a process. */

import { LineProcess } from "./lifecycle_line_process.ts";

const fixture = new URL("./lifecycle_fixture.ts", import.meta.url).pathname;

/** Starts the fixture at the given work. */
export function startFixture(work: string, env: Record<string, string> = {}): LineProcess {
  return new LineProcess(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "--cached-only", "-A", fixture, work],
    env: { NOTIFY_SOCKET: "", ...env },
  });
}
