/** How the daemon ends, step by step (see deploy/README.md for the operator's view). */

import type { DrainSignals, DrainStep, DrainStepResult } from "../lifecycle/drain.ts";
import type { Reloader } from "../lifecycle/reload.ts";
import type { CutSession } from "../submission/session.ts";
import type { Daemon } from "./daemon.ts";

/** After the first cut, messages that only lack the provider's last word get this much more. */
const FINAL_REPLY_GRACE_MS = 150;

/** After the second cut, farewells get this much to go out: inside TLS they aren't written at once. */
const FAREWELL_GRACE_MS = 100;

/** So many may close at once and leave Deno threads to write files with (it has 32). */
const FEW_CONNECTIONS = 16;

export interface DrainContext {
  readonly reloader: Reloader;
  /** Takes what is to be closed last of all. */
  readonly parked: DisposableStack;
}

/** The steps in their order. */
export function drainSteps(daemon: Daemon, { reloader, parked }: DrainContext): DrainStep[] {
  const steps: DrainStep[] = [
    { name: "listeners", run: () => daemon.submission.close() },
    { name: "sessions", run: (signals) => drainSessions(daemon, signals) },
    {
      name: "pool",
      reserveMs: 700,
      async run() {
        const idle = await daemon.pools.close(
          idleConnections(daemon) > FEW_CONNECTIONS ? (connection) => parked.use(connection) : undefined,
        );
        daemon.deadlines[Symbol.dispose]();
        return { summary: { idle } };
      },
    },
    {
      name: "tokens",
      reserveMs: 300,
      async run(signals) {
        await closeTokens(daemon, signals);
        await Promise.all([daemon.store.close(), reloader.idle(), daemon.warmedUp]);
      },
    },
    {
      name: "admin",
      reserveMs: 300,
      async run() {
        await daemon.admin?.close();
        daemon.metrics[Symbol.dispose]();
      },
    },
  ];
  return steps.map((step) => timed(step, daemon));
}

/** The last scrapes of a daemon that takes long to stop show where it is. */
function timed(step: DrainStep, { metrics }: Daemon): DrainStep {
  return {
    ...step,
    async run(signals) {
      const startedAtMs = performance.now();
      try {
        return await step.run(signals);
      } finally {
        metrics.drainStepEnded(step.name, performance.now() - startedAtMs);
      }
    },
  };
}

function idleConnections({ pools }: Daemon): number {
  return [...pools].reduce((sum, [, pool]) => sum + pool.state.idle, 0);
}

async function drainSessions(
  { submission, transactions }: Daemon,
  { deadline, kill, noteCut }: DrainSignals,
): Promise<DrainStepResult> {
  const [sessions, messages] = [submission.sessions, submission.messages];
  const drained = submission.drain();
  const cut = (options: { readonly sparingFinalReplies: boolean }) =>
    submission.cut(options).forEach((session) => noteCut(describe(session)));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onKill = () => {
    clearTimeout(timer);
    cut({ sparingFinalReplies: false });
    submission.closeSessions();
  };
  const cutAll = () => {
    cut({ sparingFinalReplies: false });
    timer = setTimeout(() => submission.closeSessions(), FAREWELL_GRACE_MS);
  };
  const onDeadline = () => {
    // There is no time to wait for anything then.
    if (kill.aborted) return onKill();
    cut({ sparingFinalReplies: true });
    timer = setTimeout(cutAll, FINAL_REPLY_GRACE_MS);
  };
  if (deadline.aborted) onDeadline();
  else deadline.addEventListener("abort", onDeadline, { once: true });
  kill.addEventListener("abort", onKill, { once: true });
  await drained;
  deadline.removeEventListener("abort", onDeadline);
  kill.removeEventListener("abort", onKill);
  clearTimeout(timer);
  transactions[Symbol.dispose]();
  return { summary: { sessions, messages } };
}

/** Token requests that don't end in time are cut; what has come of others is still put on disk after that. */
async function closeTokens({ tokens }: Daemon, { deadline, noteCut }: DrainSignals): Promise<void> {
  try {
    await tokens.close(deadline);
  } catch (error) {
    if (!deadline.aborted || error !== deadline.reason) throw error;
    noteCut("token requests under way");
  }
}

function describe({ session, account, client, at }: CutSession): string {
  return `session ${session} of ${client}${account === undefined ? "" : ` (${account})`} in ${at}`;
}
