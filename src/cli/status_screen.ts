/** What an operator asks first, on one screen: what runs, who needs help, who is throttled, how the pool stands. */

import { styled } from "./styled.ts";
import { table } from "./table.ts";

/** The part of `GET /admin/status` that is shown. */
export interface StatusBody {
  readonly version: string;
  readonly deno: string;
  readonly pid: number;
  readonly state: string;
  readonly uptime_seconds: number;
  readonly admin_only: boolean;
  readonly dry_run: boolean;
  readonly listeners: readonly {
    readonly hostname: string;
    readonly port: number;
    readonly security: string;
  }[];
  readonly sessions: number;
  readonly transactions: number;
  readonly open_circuits: readonly string[];
  readonly resident_memory_bytes: number;
  readonly total_accounts: number;
  readonly account_states: Readonly<Record<string, number>>;
  readonly accounts: readonly StatusAccount[];
}

/** One account of it. */
export interface StatusAccount {
  readonly email: string;
  readonly provider: string;
  readonly token: { readonly state: string; readonly last_error?: string; readonly remedy?: string };
  readonly pool?: {
    readonly open: number;
    readonly idle: number;
    readonly dialing: number;
    readonly waiting: number;
    readonly limit: number;
    readonly transactions: number;
    readonly backoff?: {
      readonly reason: string;
      readonly remedy: string;
      readonly remaining_seconds: number;
    };
  };
  readonly rates: { readonly messages_this_minute?: number; readonly recipients_today?: number };
}

/** How much is shown, and how. */
export interface StatusScreenOptions {
  /** Every account, however many lines that takes. */
  readonly all: boolean;
  readonly isTerminal: boolean;
}

/** Lines of the table, and of each list, before the rest is only counted. */
const mostRows = 12;
const mostListed = 5;

/** Makes the screen. */
export function statusLines(status: StatusBody, options: StatusScreenOptions): string[] {
  const { accounts } = status;
  return [
    ...headLines(status, options),
    ...trouble("Needs authorization", accounts.filter(needsAuthorization), {
      ...options,
      describe: ({ email, token: { last_error, remedy = "Authorize it again" } }) => [
        last_error ?? "the provider refused the grant",
        // Elsewhere the app, its secret or its rights are at fault, and there may be no user to authorize it.
        /authorize/i.test(remedy) ? `${remedy}: xoauth2-proxy account authorize ${email}` : remedy,
      ],
    }),
    ...trouble("No token at the moment", accounts.filter(({ token }) => token.state === "failing"), {
      ...options,
      describe: ({ token }) => [token.last_error ?? "", token.remedy ?? ""],
    }),
    ...trouble("Throttled", accounts.filter(({ pool }) => pool?.backoff), {
      ...options,
      describe: ({ pool }) => {
        const { reason = "", remedy = "", remaining_seconds = 0 } = pool?.backoff ?? {};
        return [`${reason} (${duration(remaining_seconds)} left)`, remedy];
      },
    }),
    ...accountLines(accounts, options),
  ];
}

function headLines(status: StatusBody, { isTerminal }: StatusScreenOptions): string[] {
  const { state, listeners, account_states, open_circuits } = status;
  const modes = [...(status.admin_only ? ["admin only"] : []), ...(status.dry_run ? ["dry run"] : [])];
  const painted = styled(state, state === "running" ? "green" : "yellow", isTerminal);
  const places = listeners.map(({ hostname, port, security }) => `${hostname}:${port} (${security})`);
  const states = Object.entries(account_states).map(([name, count]) =>
    `${count} ${name.replaceAll("_", " ")}`
  );
  const memory = Math.round(status.resident_memory_bytes / 2 ** 20);
  return [
    `xoauth2-proxy ${status.version}  ${painted} for ${duration(status.uptime_seconds)}` +
    `${modes.map((mode) => `, ${mode}`).join("")}  (pid ${status.pid}, Deno ${status.deno}, ${memory} MiB)`,
    `listeners  ${places.join(", ") || "none"}`,
    `sessions   ${status.sessions}, messages under way ${status.transactions}`,
    `accounts   ${status.total_accounts}${states.length === 0 ? "" : `: ${states.join(", ")}`}`,
    ...(open_circuits.length === 0
      ? []
      : [styled(`left alone ${open_circuits.join(", ")} (kept failing)`, "red", isTerminal)]),
  ];
}

function trouble(
  title: string,
  accounts: readonly StatusAccount[],
  { describe, all, isTerminal }: StatusScreenOptions & {
    readonly describe: (account: StatusAccount) => readonly string[];
  },
): string[] {
  if (accounts.length === 0) return [];
  const shown = all ? accounts : accounts.slice(0, mostListed);
  return [
    "",
    styled(`${title}: ${accounts.length}`, "red", isTerminal),
    ...shown.flatMap((account) => [
      `  ${account.email}`,
      ...describe(account).filter((line) => line !== "").map((line) => `    ${line}`),
    ]),
    ...rest(accounts.length - shown.length),
  ];
}

function accountLines(
  accounts: readonly StatusAccount[],
  { all, isTerminal }: StatusScreenOptions,
): string[] {
  const busiest = accounts.toSorted((one, other) => activity(other) - activity(one));
  const shown = all ? busiest : busiest.slice(0, mostRows);
  if (shown.length === 0) return ["", "No accounts yet: xoauth2-proxy account add"];
  const [header = "", ...rows] = table(
    ["ACCOUNT", "PROVIDER", "TOKEN", "OPEN", "IDLE", "WAIT", "LIMIT", "MSG/MIN LEFT", "RCPT/DAY LEFT"],
    shown.map(({ email, provider, token, pool, rates }) => [
      email,
      provider,
      stateName(token.state),
      pool?.open ?? "",
      pool?.idle ?? "",
      pool?.waiting ?? "",
      pool?.limit ?? "",
      rates.messages_this_minute ?? "",
      rates.recipients_today ?? "",
    ]),
  );
  return ["", styled(header, "dim", isTerminal), ...rows, ...rest(accounts.length - shown.length)];
}

/** No token was asked for yet: nothing to worry about. */
function stateName(state: string): string {
  return state === "unknown" ? "not used yet" : state.replaceAll("_", " ");
}

function rest(count: number): string[] {
  return count > 0 ? [`  … and ${count} more (--all)`] : [];
}

function activity({ pool }: StatusAccount): number {
  return pool ? 1 + pool.waiting * 1000 + pool.transactions * 100 + pool.open : 0;
}

function needsAuthorization({ token }: StatusAccount): boolean {
  return token.state === "needs_authorization";
}

/** Two units at most: `45 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const units = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [name, size] = units[first]!;
  const [nextName, nextSize] = units[first + 1] ?? ["", Infinity];
  const next = Math.floor((seconds % size) / nextSize);
  return `${Math.floor(seconds / size)} ${name}${next > 0 ? ` ${next} ${nextName}` : ""}`;
}
