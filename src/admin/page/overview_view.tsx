/** The daemon at a glance. */

import type { FC } from "hono/jsx";
import { formatEndpoint } from "../../config/endpoint.ts";
import type { AccountStatus, DaemonStatus } from "../admin_context.ts";
import { LatencyChart, MessagesChart } from "./activity_chart.tsx";
import type { ActivityMinute } from "./activity.ts";
import type { Attention } from "./attention.ts";
import { accountPath, AttentionList } from "./attention_list.tsx";
import type { Sections } from "./event_stream.ts";
import { formatCount, formatNumber, formatOctets, formatSpan } from "./format_measures.ts";
import { Notice } from "./layout.tsx";

/** What the overview shows. */
export interface OverviewState {
  readonly status: DaemonStatus;
  readonly attention: readonly Attention[];
  readonly minutes: readonly ActivityMinute[];
}

const mostAttention = 10;
const mostPools = 15;

/** The parts of the overview, by the id of their place. */
export function overviewSections({ status, attention, minutes }: OverviewState): Sections {
  return {
    "state": <StateSection {...status} />,
    "attention": <AttentionList all={attention} most={mostAttention} />,
    "figures": <Figures status={status} attention={attention.length} />,
    "charts": (
      <div class="charts">
        <MessagesChart minutes={minutes} />
        <LatencyChart minutes={minutes} />
      </div>
    ),
    "pools": <Pools accounts={status.accounts} />,
  };
}

const StateSection: FC<DaemonStatus> = ({ state, stopReason, dryRun, adminOnly, openCircuits, accounts }) => (
  <>
    {state === "draining" && (
      <Notice kind="plain" title="Draining">
        <p>Because of {stopReason}. Messages under way end first; new connections are refused.</p>
      </Notice>
    )}
    {dryRun && <p class="remark">Dry run: every message ends before its body, and none is sent.</p>}
    {adminOnly && <p class="remark">Admin only: there is no SMTP listener.</p>}
    {openCircuits.map((server) => (
      <p class="remark bad">
        The mail server {server} kept failing, and is left alone for a while. Clients are told to come again.
      </p>
    ))}
    {accounts.length === 0 && (
      <Notice kind="plain" title="There are no accounts yet">
        <p>
          An account is one mailbox that the proxy may send as. <a href="/accounts/new">Add the first one</a>.
        </p>
      </Notice>
    )}
  </>
);

const Figures: FC<{ status: DaemonStatus; attention: number }> = ({ status, attention }) => (
  <dl class="figures">
    <Figure name="State" value={status.state} note={`up ${formatSpan(status.uptimeSeconds)}`} />
    <Figure
      name="Sessions"
      value={formatNumber(status.sessions)}
      note={`${formatCount(status.messages, "message")} now`}
    />
    <Figure
      name="Accounts"
      value={formatNumber(status.accounts.length)}
      note={attention === 0 ? "all fine" : `${attention} to look at`}
    />
    <Figure
      name="Connections"
      value={formatNumber(status.accounts.reduce((sum, { pool }) => sum + (pool?.open ?? 0), 0))}
      note={`to providers, ${waiting(status.accounts)}`}
    />
    <Figure
      name="Memory"
      value={formatOctets(status.residentMemoryOctets)}
      note={`version ${status.version}`}
    />
    <Figure
      name="SMTP"
      value={listeners(status)}
      note={status.listeners.map(({ security }) => security === "none" ? "plain" : security).join(", ")}
    />
  </dl>
);

const Figure: FC<{ name: string; value: string; note: string }> = ({ name, value, note }) => (
  <div>
    <dt>{name}</dt>
    <dd>
      <strong>{value}</strong> <span class="muted">{note}</span>
    </dd>
  </div>
);

const Pools: FC<{ accounts: readonly AccountStatus[] }> = ({ accounts }) => {
  const used = accounts.filter(({ pool }) => pool !== undefined).sort((a, b) =>
    b.pool!.waiting - a.pool!.waiting || b.pool!.open - a.pool!.open
  );
  if (used.length === 0) return null;
  return (
    <section>
      <h2>Connections against the provider's limit</h2>
      <ul class="pools">
        {used.slice(0, mostPools).map(({ email, pool }) => (
          <li>
            <a href={accountPath(email)}>{email}</a>
            <meter
              min="0"
              max={String(pool!.limit)}
              value={String(pool!.open)}
              aria-label={`Connections of ${email}`}
            >
              {pool!.open}
            </meter>
            <span class="muted">
              {`${pool!.open} of ${pool!.limit}`}
              {pool!.waiting > 0 && `, ${pool!.waiting} waiting`}
            </span>
          </li>
        ))}
      </ul>
      {used.length > mostPools && <p class="muted">and {used.length - mostPools} more with fewer</p>}
    </section>
  );
};

function waiting(accounts: readonly AccountStatus[]): string {
  return `${formatNumber(accounts.reduce((sum, { pool }) => sum + (pool?.waiting ?? 0), 0))} waiting`;
}

function listeners({ listeners, adminOnly, state }: DaemonStatus): string {
  if (listeners.length > 0) return listeners.map(formatEndpoint).join(", ");
  return adminOnly ? "none" : state === "running" ? "none" : "closed";
}
