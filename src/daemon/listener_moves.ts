/** Reloads that keep a port and change the listener on it: its address or its security. */

import { ConfigError } from "../config/config_error.ts";
import { assertFree, type Listener } from "../submission/listener.ts";
import type { ListenerPlan, SubmissionServer } from "../submission/submission_server.ts";

/** What moves are judged by. */
export interface MoveOptions {
  /** The configuration file; absent: none. */
  readonly file: string | undefined;
  /** Listeners that are open now. */
  readonly held: readonly Listener[];
  /** Default: the system that runs this. */
  readonly platform?: typeof Deno.build.os;
}

/**
 * Refuses what only Linux can do: to open the new listener beside the old one.
 *
 * @throws {ConfigError}
 */
export function refuseMoves(
  plans: readonly ListenerPlan[],
  { file = "config.json", held, platform = Deno.build.os }: MoveOptions,
): void {
  if (platform === "linux") return;
  const findings = plans.flatMap(({ settings: { hostname, port, security } }, index) => {
    const holder = held.find(({ address }) => address.port === port);
    if (!holder) return [];
    if (holder.settings.hostname === hostname && holder.settings.security === security) return [];
    return [{
      file,
      path: `listeners[${index}]`,
      message: `changes host or security on port ${port}, where this daemon listens; that needs a restart`,
      hint: "restart the daemon, or give the listener another port",
    }];
  });
  if (findings.length > 0) throw new ConfigError(findings);
}

/**
 * Listens as `plans` say. Ports that the server holds are shared for the moment in which old and new are both open.
 *
 * @throws The system's error for the listener that can't be opened; nothing has changed then.
 */
export async function listenAnew(
  submission: SubmissionServer,
  plans: readonly ListenerPlan[],
): Promise<void> {
  const held = new Set(submission.listeners.map(({ address }) => address.port));
  for (const { settings } of plans) if (!held.has(settings.port)) assertFree(settings);
  await submission.listen(plans, { isShared: true });
}
