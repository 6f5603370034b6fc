import { AdminClient, type AdminClientOptions, errorOf, NoDaemonError } from "./admin_client.ts";

/** Whether a daemon took an edit of the accounts file over. */
export interface DaemonNotice {
  readonly outcome: "reloaded" | "not_running" | "not_reloaded";
  readonly text: string;
}

/**
 * Asks a daemon that answers to reload. Never rejects: the edit itself is done, and what the command has to tell of it, such as
 * a password that was made, must be told.
 */
export async function tellDaemon(options: AdminClientOptions): Promise<DaemonNotice> {
  const daemon = new AdminClient(options);
  try {
    const answer = await daemon.call("POST", "/admin/reload", { timeoutMs: 120_000 });
    if (answer.status === 200) {
      return { outcome: "reloaded", text: `The daemon at ${daemon.url} has taken it over` };
    }
    return {
      outcome: "not_reloaded",
      text: `The daemon at ${daemon.url} did not reload: ${errorOf(answer)}`,
    };
  } catch (error) {
    if (error instanceof NoDaemonError) {
      return {
        outcome: "not_running",
        text: `No daemon answers at ${daemon.url}: it counts from the next start on${error.doubt}`,
      };
    }
    if (!(error instanceof Error)) throw error;
    return { outcome: "not_reloaded", text: `The daemon was not told: ${error.message}` };
  }
}
