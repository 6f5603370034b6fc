import assert from "node:assert/strict";
import { drain, type DrainOptions, type DrainSignals, type DrainStep } from "../../../src/lifecycle/drain.ts";
import { recordingLog } from "./recording_log.ts";

const neverKilled = new AbortController().signal;

function options(overrides: Partial<DrainOptions> = {}): DrainOptions {
  return {
    deadlineMs: 60_000,
    kill: neverKilled,
    log: recordingLog().log,
    now: () => performance.now(),
    ...overrides,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

const hanging: DrainStep = { name: "hanging", run: () => new Promise(() => {}) };

Deno.test("drain runs its steps in order and reports each with its time", async () => {
  const clock = { ms: 0 };
  const { log, messages } = recordingLog();
  const takes = (name: string, ms: number): DrainStep => ({
    name,
    run: () => Promise.resolve({ summary: { closed: clock.ms += ms } }),
  });
  const report = await drain(
    [takes("listeners", 5), takes("pool", 7)],
    options({ log, now: () => clock.ms }),
  );
  assert.deepEqual(report.steps.map(({ name, ms, summary }) => ({ name, ms, summary })), [
    { name: "listeners", ms: 5, summary: { closed: 5 } },
    { name: "pool", ms: 7, summary: { closed: 12 } },
  ]);
  assert.equal(report.totalMs, 12);
  assert.deepEqual(messages(), ["Drain step listeners done in 5 ms", "Drain step pool done in 7 ms"]);
});

Deno.test("drain goes on after a step that throws", async () => {
  const failure = new Error("disk full");
  const ran: string[] = [];
  const steps: DrainStep[] = [
    {
      name: "at once",
      run: () => {
        throw failure;
      },
    },
    { name: "later", run: () => Promise.reject(failure) },
    { name: "files", run: () => Promise.resolve(void ran.push("files")) },
  ];
  const report = await drain(steps, options());
  assert.deepEqual(report.steps.map(({ outcome }) => outcome), ["failed", "failed", "done"]);
  assert.equal(report.steps[0]?.error, failure);
  assert.deepEqual(ran, ["files"]);
});

Deno.test("drain tells a step at the deadline, and names what it cut", async () => {
  const sessions: DrainStep = {
    name: "sessions",
    async run({ deadline, kill, noteCut }: DrainSignals) {
      await aborted(deadline);
      assert.equal(kill.aborted, false);
      assert.equal(deadline.reason.name, "TimeoutError");
      for (const what of ["session 7", "session 9", "session 7"]) noteCut(what);
    },
  };
  const { log, messages } = recordingLog();
  const report = await drain([sessions], options({ deadlineMs: 20, log }));
  assert.equal(report.steps[0]?.outcome, "done");
  assert.deepEqual(report.cut, ["session 7", "session 9"]);
  assert.deepEqual(messages().slice(1), ["Cut at the deadline: session 7", "Cut at the deadline: session 9"]);
});

Deno.test("drain names what was cut by a step that it leaves behind", async () => {
  const step: DrainStep = {
    name: "sessions",
    run({ noteCut }) {
      noteCut("session 7");
      return new Promise(() => {});
    },
  };
  const report = await drain([step], options({ kill: AbortSignal.abort() }));
  assert.deepEqual([report.steps[0]?.outcome, report.cut], ["abandoned", ["session 7"]]);
});

Deno.test("drain leaves a step behind that ignores its deadline", async () => {
  const ran: string[] = [];
  const pool: DrainStep = { name: "pool", run: () => Promise.resolve(void ran.push("pool")) };
  const report = await drain([hanging, pool], options({ deadlineMs: 10 }));
  assert.deepEqual(report.steps.map(({ outcome }) => outcome), ["abandoned", "done"]);
  assert.deepEqual(ran, ["pool"]);
});

Deno.test("drain keeps reserved time for the later steps", async () => {
  // The sessions' deadline passes while half of the time is left; only the reserve can be the reason.
  const order: string[] = [];
  const steps: DrainStep[] = [
    {
      name: "sessions",
      run: async ({ deadline }) => void (await aborted(deadline), order.push("sessions cut")),
    },
    {
      name: "pool",
      reserveMs: 3_600_000,
      run: ({ deadline }) =>
        Promise.resolve(void order.push(deadline.aborted ? "pool late" : "pool in time")),
    },
  ];
  await drain(steps, options({ deadlineMs: 800 }));
  assert.deepEqual(order, ["sessions cut", "pool in time"]);
});

Deno.test("drain ends every step at a kill and skips what has no time left", async () => {
  const kill = new AbortController();
  const seen: unknown[] = [];
  const sessions: DrainStep = {
    name: "sessions",
    async run({ deadline, kill: killed }) {
      queueMicrotask(() => kill.abort(new Error("second signal")));
      await aborted(deadline);
      seen.push(killed.aborted, deadline.reason.message);
    },
  };
  const report = await drain(
    [sessions, hanging, { ...hanging, name: "files" }],
    options({ kill: kill.signal }),
  );
  assert.deepEqual(seen, [true, "second signal"]);
  assert.deepEqual(report.steps.map(({ outcome }) => outcome), ["done", "abandoned", "skipped"]);
});

Deno.test("drain after a kill tells its steps before they begin", async () => {
  const step: DrainStep = {
    name: "pool",
    run: ({ deadline, kill }) => Promise.resolve({ summary: { told: deadline.aborted && kill.aborted } }),
  };
  const report = await drain([step], options({ kill: AbortSignal.abort() }));
  assert.deepEqual(report.steps[0]?.summary, { told: true });
});

Deno.test("drain without time still lets a step cut cleanly", async () => {
  const step: DrainStep = {
    name: "sessions",
    run: ({ deadline, noteCut }) => Promise.resolve(deadline.aborted ? noteCut("session 1") : undefined),
  };
  const report = await drain([step], options({ deadlineMs: 0 }));
  assert.deepEqual(report.cut, ["session 1"]);
});

Deno.test("drain doesn't speak of a deadline when a kill has cut", async () => {
  const { log, messages } = recordingLog();
  const step: DrainStep = { name: "sessions", run: ({ noteCut }) => Promise.resolve(noteCut("session 1")) };
  await drain([step], options({ kill: AbortSignal.abort(), log }));
  assert.equal(messages().at(-1), "Cut: session 1");
});
