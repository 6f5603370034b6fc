/** The daemon's state as the API shows it. */

import { z } from "@hono/zod-openapi";
import { tokenView, tokenViewSchema } from "./account_view.ts";
import type { AccountStatus, DaemonStatus } from "./admin_context.ts";

const poolSchema = z.object({
  open: z.int(),
  idle: z.int(),
  dialing: z.int(),
  waiting: z.int().openapi({ description: "Transactions that wait for a connection" }),
  limit: z.int(),
  transactions: z.int(),
  backoff: z.object({
    reason: z.string(),
    remedy: z.string(),
    remaining_seconds: z.number(),
    failures: z.int(),
  }).optional().openapi({ description: "Present while the provider has slowed the account down" }),
}).openapi("PoolState");

const accountStatusSchema = z.object({
  email: z.string(),
  provider: z.string(),
  token: tokenViewSchema,
  pool: poolSchema.optional().openapi({ description: "Absent until the account is first used" }),
  rates: z.object({
    messages_this_minute: z.number().optional(),
    recipients_today: z.number().optional(),
  }).openapi({ description: "What is left of each limit" }),
}).openapi("AccountStatus");

/** Body of `GET /admin/status`. */
export const statusSchema = z.object({
  success: z.literal(true),
  version: z.string(),
  deno: z.string(),
  pid: z.int(),
  state: z.enum(["starting", "running", "draining", "stopped"]),
  stop_reason: z.string().optional(),
  uptime_seconds: z.number(),
  admin_only: z.boolean(),
  dry_run: z.boolean(),
  listeners: z.array(z.object({ hostname: z.string(), port: z.int(), security: z.string() })),
  sessions: z.int(),
  transactions: z.int().openapi({ description: "Messages whose body or final reply is under way" }),
  open_circuits: z.array(z.string()).openapi({ description: "Mail servers that kept failing" }),
  resident_memory_bytes: z.int(),
  total_accounts: z.int(),
  account_states: z.record(z.string(), z.int()).openapi({ description: "Accounts by state of their token" }),
  accounts: z.array(accountStatusSchema),
}).openapi("Status");

/** Shows the state. */
export function statusView(status: DaemonStatus): z.infer<typeof statusSchema> {
  const { stopReason, accounts } = status;
  const states: Record<string, number> = {};
  for (const { token: { state } } of accounts) states[state] = (states[state] ?? 0) + 1;
  return {
    success: true,
    version: status.version,
    deno: status.deno,
    pid: Deno.pid,
    state: status.state,
    ...(stopReason !== undefined && { stop_reason: stopReason }),
    uptime_seconds: status.uptimeSeconds,
    admin_only: status.adminOnly,
    dry_run: status.dryRun,
    listeners: status.listeners.map(({ hostname, port, security }) => ({ hostname, port, security })),
    sessions: status.sessions,
    transactions: status.messages,
    open_circuits: [...status.openCircuits],
    resident_memory_bytes: status.residentMemoryOctets,
    total_accounts: accounts.length,
    account_states: states,
    accounts: accounts.map(accountStatusView),
  };
}

function accountStatusView(
  { email, provider, token, pool, rates }: AccountStatus,
): z.infer<typeof accountStatusSchema> {
  const { messagesThisMinute, recipientsToday } = rates;
  return {
    email,
    provider,
    token: tokenView(token),
    ...(pool && { pool: poolView(pool) }),
    rates: {
      ...(messagesThisMinute !== undefined && { messages_this_minute: messagesThisMinute }),
      ...(recipientsToday !== undefined && { recipients_today: recipientsToday }),
    },
  };
}

function poolView({ backoff, ...pool }: NonNullable<AccountStatus["pool"]>): z.infer<typeof poolSchema> {
  const { open, idle, dialing, waiting, limit, transactions } = pool;
  const counts = { open, idle, dialing, waiting, limit, transactions };
  if (!backoff) return counts;
  const { reason, remedy, remainingMs, failures } = backoff;
  return {
    ...counts,
    backoff: { reason, remedy, remaining_seconds: Math.ceil(remainingMs / 1000), failures },
  };
}
