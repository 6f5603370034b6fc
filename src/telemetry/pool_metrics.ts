import { Gauge, type Registry } from "prom-client";
import type { MetricsSnapshot } from "./metrics_snapshot.ts";

/** Above this number of accounts there is no series for each: Prometheus pays for every label value. */
const maxLabelledAccounts = 200;

const states = ["idle", "busy", "dialing"] as const;

/** Registers the gauges that are read from a snapshot of pools and accounts. */
export function registerPoolMetrics(registry: Registry, snapshot: () => MetricsSnapshot): void {
  const registers = [registry];
  new Gauge({
    name: "xoauth2_proxy_pool_connections",
    help: "Upstream connections by state.",
    labelNames: ["state"],
    registers,
    collect() {
      const totals = { idle: 0, busy: 0, dialing: 0 };
      for (const pool of snapshot().pools) {
        for (const state of states) totals[state] += pool[state];
      }
      for (const state of states) this.set({ state }, totals[state]);
    },
  });
  new Gauge({
    name: "xoauth2_proxy_pool_waiting_transactions",
    help: "Transactions that wait for an upstream connection.",
    registers,
    collect() {
      let waiting = 0;
      for (const pool of snapshot().pools) waiting += pool.waiting;
      this.set(waiting);
    },
  });
  registerAccountMetrics(registry, snapshot);
}

function registerAccountMetrics(registry: Registry, snapshot: () => MetricsSnapshot): void {
  const registers = [registry];
  new Gauge({
    name: "xoauth2_proxy_account_pool_connections",
    help:
      `Upstream connections by account and state; only while there are at most ${maxLabelledAccounts} accounts.`,
    labelNames: ["account", "state"],
    registers,
    collect() {
      this.reset();
      const { pools, accountStates } = snapshot();
      const accounts = [...accountStates.values()].reduce((sum, count) => sum + count, 0);
      if (accounts > maxLabelledAccounts) return;
      for (const pool of pools) {
        for (const state of states) this.set({ account: pool.account, state }, pool[state]);
      }
    },
  });
  new Gauge({
    name: "xoauth2_proxy_accounts",
    help: "Accounts by the state of their token.",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      for (const [state, count] of snapshot().accountStates) this.set({ state }, count);
    },
  });
}
