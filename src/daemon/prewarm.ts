/** Connections opened ahead of need. */

import type { Logger } from "@logtape/logtape";
import type { Account } from "../accounts/account.ts";
import type { Mailboxes } from "../relay/relay.ts";
import type { UpstreamPools } from "../upstream/upstream_pools.ts";

/** Accounts that are warmed up at a time: a start must not look like an attack to a provider. */
const PARALLEL_ACCOUNTS = 8;

export interface PrewarmOptions {
  readonly accounts: readonly Account[];
  readonly mailboxes: Mailboxes;
  readonly pools: UpstreamPools;
  readonly log: Logger;
}

/** Opens as many connections as each account's provider settings say (`prewarm`). Never rejects; ends when `signal` aborts. */
export async function prewarm(
  { accounts, mailboxes, pools, log }: PrewarmOptions,
  signal: AbortSignal,
): Promise<void> {
  const queue = accounts.filter(({ provider }) => provider.pool.prewarm > 0);
  if (queue.length === 0) return;
  let opened = 0;
  const work = async () => {
    for (let account = queue.shift(); account && !signal.aborted; account = queue.shift()) {
      const mailbox = mailboxes.get(account.email);
      if (mailbox) opened += await pools.for(mailbox).prewarm(account.provider.pool.prewarm, signal);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_ACCOUNTS }, work));
  log.info("Warm-up opened {opened} connections", { opened });
}
