/** Counters and histograms of the daemon in the Prometheus text format. */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { emptySnapshot, type MetricsSnapshot } from "./metrics_snapshot.ts";
import { registerPoolMetrics } from "./pool_metrics.ts";
import { registerProcessMetrics } from "./process_metrics.ts";

/** What is counted of a transaction; durations in milliseconds. */
export interface TransactionMeasures {
  readonly outcome: string;
  readonly messageOctets: number;
  readonly recipients: number;
  readonly poolWaitMs: number;
  /** From the final dot to the provider's reply. */
  readonly finalReplyMs?: number;
  readonly durationMs: number;
}

/** How a sign-in of a client ended. */
export type SignInOutcome = "accepted" | "refused" | "throttled" | "unavailable";

/** What metrics are made with. */
export interface MetricsOptions {
  readonly version: string;
}

const prefix = "xoauth2_proxy";

/** From a loopback reply to a provider that takes its time. */
const replyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/**
 * All metrics, in a registry of their own. Labels have few, fixed values and no text from a peer. Only the connections of
 * pools are told by account, with its address in clear, and only while there are few accounts.
 */
export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #process: Disposable;
  #snapshot: () => MetricsSnapshot = () => emptySnapshot;

  readonly #sessions = this.#counter("sessions_total", "Sessions opened, by security of the listener.", [
    "security",
  ]);
  readonly #openSessions = new Gauge({
    name: `${prefix}_sessions_open`,
    help: "Sessions that are open.",
    registers: [this.#registry],
  });
  readonly #signIns = this.#counter("sign_ins_total", "AUTH exchanges of clients, by outcome.", ["outcome"]);
  readonly #transactions = this.#counter("transactions_total", "Transactions that ended, by outcome.", [
    "outcome",
  ]);
  readonly #recipients = this.#counter("recipients_total", "Recipients of relayed messages.", []);
  readonly #messageOctets = this.#counter("message_bytes_total", "Mail data relayed in bytes.", []);
  readonly #refreshes = this.#counter("token_refreshes_total", "Access token requests, by outcome.", [
    "outcome",
  ]);
  readonly #dials = this.#counter(
    "upstream_connections_total",
    "Upstream connections attempted: connected, or the phase that failed.",
    ["outcome"],
  );
  readonly #throttles = this.#counter(
    "throttles_total",
    "Times that a provider or a limit slowed an account down.",
    [],
  );
  readonly #poolWait = this.#histogram(
    "pool_wait_seconds",
    "Wait of a transaction for an upstream connection.",
  );
  readonly #upstreamReply = this.#histogram(
    "upstream_reply_seconds",
    "From the final dot of a message to the provider's reply.",
  );
  readonly #transaction = this.#histogram("transaction_seconds", "From MAIL to the end of the transaction.");
  readonly #drain = new Gauge({
    name: `${prefix}_drain_seconds`,
    help: "Duration of each step of the drain under way.",
    labelNames: ["step"],
    registers: [this.#registry],
  });

  /** Starts measuring the event loop; dispose to end that. */
  constructor({ version }: MetricsOptions) {
    this.#process = registerProcessMetrics(this.#registry);
    registerPoolMetrics(this.#registry, () => this.#snapshot());
    new Gauge({
      name: `${prefix}_build_info`,
      help: "Always 1; the labels tell what runs.",
      labelNames: ["version", "deno"],
      registers: [this.#registry],
    }).set({ version, deno: Deno.version.deno }, 1);
  }

  /** Where the gauges of pools and accounts come from, at each scrape. */
  observe(snapshot: () => MetricsSnapshot): void {
    this.#snapshot = snapshot;
  }

  /** A client has connected to a listener of this security (`none`, `starttls`, `tls`). */
  sessionOpened(security: string): void {
    this.#sessions.inc({ security });
    this.#openSessions.inc();
  }

  sessionClosed(): void {
    this.#openSessions.dec();
  }

  signInEnded(outcome: SignInOutcome): void {
    this.#signIns.inc({ outcome });
  }

  /** To be called once for each transaction; octets and recipients count only when the provider took the message. */
  transactionEnded(measures: TransactionMeasures): void {
    const { outcome, finalReplyMs } = measures;
    this.#transactions.inc({ outcome });
    this.#poolWait.observe(measures.poolWaitMs / 1000);
    this.#transaction.observe(measures.durationMs / 1000);
    if (finalReplyMs !== undefined) this.#upstreamReply.observe(finalReplyMs / 1000);
    if (outcome !== "relayed") return;
    this.#messageOctets.inc(measures.messageOctets);
    this.#recipients.inc(measures.recipients);
  }

  /** `connected`, or the phase of the dial that failed. */
  dialEnded(outcome: string): void {
    this.#dials.inc({ outcome });
  }

  /** `refreshed`, `failed` or `needs_authorization`. */
  tokenRefreshEnded(outcome: string): void {
    this.#refreshes.inc({ outcome });
  }

  throttled(): void {
    this.#throttles.inc();
  }

  drainStepEnded(step: string, durationMs: number): void {
    this.#drain.set({ step }, durationMs / 1000);
  }

  /** Content type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything, as a scrape reads it. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name: `${prefix}_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({
      name: `${prefix}_${name}`,
      help,
      buckets: replyBuckets,
      registers: [this.#registry],
    });
  }
}
