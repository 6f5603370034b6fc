import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";
import { EventLoopLag } from "./event_loop_lag.ts";

/** Registers what Prometheus expects of every process, under its standard names, and the lag of the event loop. */
export function registerProcessMetrics(registry: Registry): Disposable {
  const registers = [registry];
  const lag = new EventLoopLag(() => performance.now());
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    registers,
    collect() {
      this.set(Deno.memoryUsage().rss);
    },
  });
  new Gauge({
    name: "xoauth2_proxy_heap_used_bytes",
    help: "JavaScript heap in use in bytes.",
    registers,
    collect() {
      this.set(Deno.memoryUsage().heapUsed);
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start time of the process since unix epoch in seconds.",
    registers,
  }).set(Math.round(performance.timeOrigin) / 1000);
  new Gauge({
    name: "xoauth2_proxy_event_loop_lag_seconds",
    help: "Longest delay of the event loop since the last scrape.",
    registers,
    collect() {
      this.set(lag.takeWorstMs() / 1000);
    },
  });
  return lag;
}
