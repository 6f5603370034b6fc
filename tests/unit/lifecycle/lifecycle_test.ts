import assert from "node:assert/strict";
import type { DrainReport, DrainStepReport } from "../../../src/lifecycle/drain.ts";
import { Lifecycle } from "../../../src/lifecycle/lifecycle.ts";
import { recordingLog } from "./recording_log.ts";

function makeLifecycle() {
  const clock = { ms: 0 };
  const recording = recordingLog();
  const lifecycle = new Lifecycle({ log: recording.log, now: () => clock.ms });
  return { lifecycle, clock, ...recording };
}

function reportOf(...steps: Partial<DrainStepReport>[]): DrainReport {
  const whole = steps.map((
    step,
  ) => ({ name: "sessions", outcome: "done", ms: 1, summary: {}, cut: [], ...step } as const));
  return { steps: whole, totalMs: 2, cut: whole.flatMap((step) => step.cut) };
}

Deno.test("Lifecycle goes from starting to running to draining to stopped", () => {
  const { lifecycle } = makeLifecycle();
  const states: string[] = [lifecycle.state];
  assert.equal(lifecycle.started(), true);
  states.push(lifecycle.state);
  lifecycle.signalled("SIGTERM");
  states.push(lifecycle.state);
  lifecycle.finish(reportOf());
  states.push(lifecycle.state);
  assert.deepEqual(states, ["starting", "running", "draining", "stopped"]);
});

Deno.test("Lifecycle lets a signal during the start-up stop it", async () => {
  const { lifecycle } = makeLifecycle();
  lifecycle.signalled("SIGINT");
  assert.equal(lifecycle.stopSignal.aborted, true);
  assert.equal(lifecycle.started(), false);
  await lifecycle.stopRequested;
  assert.equal(lifecycle.finish(reportOf()), 0);
});

for (
  const [second, exitStatus] of [["SIGINT", 130], ["SIGBREAK", 130], ["SIGTERM", 143], [
    "SIGHUP",
    143,
  ]] as const
) {
  Deno.test(`Lifecycle ends at once with ${exitStatus} when a second signal is ${second}`, () => {
    const { lifecycle } = makeLifecycle();
    lifecycle.started();
    lifecycle.signalled("SIGTERM");
    assert.equal(lifecycle.killSignal.aborted, false);
    lifecycle.signalled(second);
    assert.equal(lifecycle.killSignal.aborted, true);
    assert.equal(lifecycle.finish(reportOf({ outcome: "abandoned", cut: ["session 1"] })), exitStatus);
  });
}

Deno.test("Lifecycle takes the echo of one Ctrl+C for the same key press", () => {
  const { lifecycle, clock } = makeLifecycle();
  lifecycle.signalled("SIGINT");
  clock.ms += 1;
  lifecycle.signalled("SIGINT");
  assert.equal(lifecycle.killSignal.aborted, false);
  clock.ms += 200;
  lifecycle.signalled("SIGINT");
  assert.equal(lifecycle.killSignal.aborted, true);
});

Deno.test("Lifecycle never ends at once for a second request, nor for the first signal after it", () => {
  const { lifecycle } = makeLifecycle();
  lifecycle.started();
  assert.equal(lifecycle.requestStop("POST /admin/shutdown"), true);
  assert.equal(lifecycle.requestStop("POST /admin/shutdown"), false);
  lifecycle.signalled("SIGTERM");
  assert.equal(lifecycle.killSignal.aborted, false);
  assert.equal(lifecycle.stopReason, "POST /admin/shutdown");
  assert.equal(lifecycle.finish(reportOf()), 0);
});

Deno.test("Lifecycle drains after a failure and exits with 1", () => {
  const { lifecycle, records } = makeLifecycle();
  lifecycle.started();
  lifecycle.fail(new Error("no such luck"));
  lifecycle.fail(new Error("again"));
  assert.equal(lifecycle.state, "draining");
  assert.equal(records.filter(({ level }) => level === "fatal").length, 2);
  assert.equal(lifecycle.finish(reportOf({ cut: ["session 1"] })), 1);
});

for (
  const [what, step, exitStatus] of [
    ["cut nothing", {}, 0],
    ["cut a session", { cut: ["session 7"] }, 75],
    ["left a step behind", { outcome: "abandoned" }, 75],
    ["had a step that failed", { outcome: "failed", cut: ["session 7"] }, 1],
  ] as const
) {
  Deno.test(`Lifecycle exits with ${exitStatus} after a drain that ${what}`, () => {
    const { lifecycle } = makeLifecycle();
    lifecycle.signalled("SIGTERM");
    assert.equal(lifecycle.finish(reportOf(step)), exitStatus);
  });
}

Deno.test("Lifecycle's last line has each step's time, what was cut and the exit status", () => {
  const { lifecycle, messages } = makeLifecycle();
  lifecycle.signalled("SIGTERM");
  lifecycle.finish(
    reportOf({ name: "sessions", ms: 12, cut: ["session 7 of mailbox a"] }, { name: "pool", ms: 3 }),
  );
  assert.equal(
    messages().at(-1),
    "Stopped in 2 ms, exit 75: sessions 12 ms, pool 3 ms; cut 1: session 7 of mailbox a",
  );
});
