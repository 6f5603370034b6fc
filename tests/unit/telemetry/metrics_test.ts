import assert from "node:assert/strict";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import type { PoolCounts } from "../../../src/telemetry/metrics_snapshot.ts";

const relayed = {
  outcome: "relayed",
  messageOctets: 4096,
  recipients: 2,
  poolWaitMs: 3,
  finalReplyMs: 40,
  durationMs: 80,
};

function pool(account: string): PoolCounts {
  return { account, idle: 1, busy: 2, dialing: 0, waiting: 4 };
}

async function valueOf(metrics: Metrics, series: string): Promise<number | undefined> {
  const line = (await metrics.text()).split("\n").find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

Deno.test("Metrics counts transactions, and mail only where the provider took it", async () => {
  using metrics = new Metrics({ version: "1.2.3" });
  metrics.transactionEnded(relayed);
  metrics.transactionEnded(relayed);
  metrics.transactionEnded({ ...relayed, outcome: "deferred" });
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_transactions_total{outcome="relayed"}'), 2);
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_transactions_total{outcome="deferred"}'), 1);
  assert.equal(await valueOf(metrics, "xoauth2_proxy_message_bytes_total"), 8192);
  assert.equal(await valueOf(metrics, "xoauth2_proxy_recipients_total"), 4);
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_pool_wait_seconds_bucket{le="0.005"}'), 3);
  assert.equal(await valueOf(metrics, "xoauth2_proxy_upstream_reply_seconds_count"), 3);
  assert.equal(await valueOf(metrics, "xoauth2_proxy_transaction_seconds_sum"), 0.24);
});

Deno.test("Metrics counts sessions by security and knows how many are open", async () => {
  using metrics = new Metrics({ version: "1.2.3" });
  metrics.sessionOpened("tls");
  metrics.sessionOpened("none");
  metrics.sessionClosed();
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_sessions_total{security="tls"}'), 1);
  assert.equal(await valueOf(metrics, "xoauth2_proxy_sessions_open"), 1);
});

Deno.test("Metrics reads pools and accounts from the snapshot at each scrape", async () => {
  using metrics = new Metrics({ version: "1.2.3" });
  let pools = [pool("a@example.com"), pool("b@example.com")];
  let accountStates = new Map([["valid", 1], ["needs_authorization", 1]]);
  metrics.observe(() => ({ pools, accountStates }));
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_pool_connections{state="busy"}'), 4);
  assert.equal(await valueOf(metrics, "xoauth2_proxy_pool_waiting_transactions"), 8);
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_accounts{state="needs_authorization"}'), 1);
  const series = 'xoauth2_proxy_account_pool_connections{account="b@example.com",state="idle"}';
  assert.equal(await valueOf(metrics, series), 1);
  pools = [];
  accountStates = new Map([["valid", 1]]);
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_pool_connections{state="busy"}'), 0);
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_accounts{state="needs_authorization"}'), undefined);
  assert.equal(await valueOf(metrics, series), undefined);
});

Deno.test("Metrics has no series for each account when there are more than 200", async () => {
  using metrics = new Metrics({ version: "1.2.3" });
  const pools = Array.from({ length: 201 }, (_, number) => pool(`a${number}@example.com`));
  metrics.observe(() => ({ pools, accountStates: new Map([["valid", pools.length]]) }));
  assert.equal(await valueOf(metrics, 'xoauth2_proxy_pool_connections{state="idle"}'), 201);
  assert.doesNotMatch(await metrics.text(), /@example\.com/);
});

Deno.test("Metrics tells what every process tells", async () => {
  using metrics = new Metrics({ version: "1.2.3" });
  assert.ok((await valueOf(metrics, "process_resident_memory_bytes") ?? 0) > 1e6);
  assert.ok((await valueOf(metrics, "process_cpu_seconds_total") ?? 0) > 0);
  assert.ok((await valueOf(metrics, "process_start_time_seconds") ?? 0) > 1.6e9);
  assert.match(await metrics.text(), /xoauth2_proxy_build_info\{version="1\.2\.3",deno="[\d.]+"\} 1/);
});

Deno.test("Metrics keeps two instances apart", async () => {
  using one = new Metrics({ version: "1" });
  using two = new Metrics({ version: "1" });
  one.throttled();
  assert.equal(await valueOf(one, "xoauth2_proxy_throttles_total"), 1);
  assert.equal(await valueOf(two, "xoauth2_proxy_throttles_total"), 0);
});

const promtool = await new Deno.Command("promtool", { args: ["--version"], stdout: "null", stderr: "null" })
  .output().then(({ success }) => success, () => false);

Deno.test({
  name: "Metrics has nothing that promtool finds fault with",
  ignore: !promtool,
  async fn() {
    using metrics = new Metrics({ version: "1.2.3" });
    metrics.sessionOpened("tls");
    metrics.signInEnded("accepted");
    metrics.transactionEnded(relayed);
    metrics.dialEnded("connected");
    metrics.tokenRefreshEnded("refreshed");
    metrics.throttled();
    metrics.drainStepEnded("sessions", 12);
    metrics.observe(() => ({ pools: [pool("a@example.com")], accountStates: new Map([["valid", 1]]) }));
    const child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode(await metrics.text()));
    await input.close();
    const { code, stdout, stderr } = await child.output();
    assert.equal(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr), "");
    assert.equal(code, 0);
  },
});
