import assert from "node:assert/strict";
import {
  describeFinding,
  type PreparedReload,
  Reloader,
  type ReloadFinding,
  type ReloadPart,
} from "../../../src/lifecycle/reload.ts";
import { recordingLog } from "./recording_log.ts";

function makeReloader(parts: ReloadPart[], signal = new AbortController().signal) {
  const shown: string[] = [];
  const observer = {
    reloading: () => void shown.push("reloading"),
    ready: (status: string) => void shown.push(status),
  };
  const recording = recordingLog();
  const reloader = new Reloader({ parts, observer, signal, log: recording.log, now: () => 0 });
  return { reloader, shown, ...recording };
}

function part(name: string, events: string[], prepared: Partial<PreparedReload> = {}): ReloadPart {
  const note = (event: string) => () => void events.push(`${event} ${name}`);
  return {
    name,
    prepare() {
      events.push(`prepare ${name}`);
      return Promise.resolve({
        apply: note("apply"),
        revert: note("revert"),
        discard: note("discard"),
        ...prepared,
      });
    },
  };
}

class FaultyConfig extends Error {
  constructor(readonly findings: ReloadFinding[]) {
    super("Cannot use config.json");
  }
}

const portFinding = { file: "config.json", path: "$.port", message: "Must be a number", hint: "write 2525" };

function faulty(name: string, ...findings: ReloadFinding[]): ReloadPart {
  return { name, prepare: () => Promise.reject(new FaultyConfig(findings)) };
}

Deno.test("Reloader prepares every part before it applies the first", async () => {
  const events: string[] = [];
  const parts = [part("settings", events, { difference: { level: "debug" } }), part("accounts", events)];
  const { reloader, shown } = makeReloader(parts);
  const outcome = await reloader.reload("SIGHUP");
  assert.deepEqual(events, ["prepare settings", "prepare accounts", "apply settings", "apply accounts"]);
  assert.deepEqual(outcome, { applied: true, difference: { settings: { level: "debug" } }, ms: 0 });
  assert.deepEqual(shown, ["reloading", "Running"]);
});

Deno.test("Reloader applies nothing when one part is faulty, and shows every finding", async () => {
  const events: string[] = [];
  const second = { message: "No such provider" };
  const { reloader, shown, messages } = makeReloader([
    part("settings", events),
    faulty("accounts", portFinding),
    faulty("certificates", second),
  ]);
  const outcome = await reloader.reload("SIGHUP");
  assert.deepEqual(events, ["prepare settings", "discard settings"]);
  assert.deepEqual(outcome, { applied: false, findings: [portFinding, second], ms: 0 });
  const described = "config.json $.port: Must be a number (write 2525)";
  assert.deepEqual(shown, [
    "reloading",
    `Running unchanged; reload refused: ${described} (and 1 more, see the log)`,
  ]);
  assert.ok(messages().includes(`Cannot reload: ${described}`));
  assert.ok(messages().includes("Cannot reload: No such provider"));
});

Deno.test("Reloader takes back what it has applied when a later part fails", async () => {
  const events: string[] = [];
  const failing = {
    apply: () => {
      throw new Error("address in use");
    },
  };
  const { reloader } = makeReloader([
    part("first", events),
    part("second", events),
    part("third", events, failing),
  ]);
  const outcome = await reloader.reload("POST /admin/reload");
  assert.deepEqual(events.slice(3), [
    "apply first",
    "apply second",
    "revert second",
    "revert first",
    "discard third",
  ]);
  assert.deepEqual(outcome, { applied: false, findings: [{ message: "address in use" }], ms: 0 });
});

Deno.test("Reloader lets a second reload wait for the first", async () => {
  const events: string[] = [];
  const gate = Promise.withResolvers<void>();
  const slow = part("settings", events, {
    apply: () => gate.promise.then(() => void events.push("applied")),
  });
  const { reloader } = makeReloader([slow]);
  const both = Promise.all([reloader.reload("SIGHUP"), reloader.reload("POST /admin/reload")]);
  const idle = reloader.idle();
  gate.resolve();
  await idle;
  assert.deepEqual(events, ["prepare settings", "applied", "prepare settings", "applied"]);
  assert.deepEqual((await both).map(({ applied }) => applied), [true, true]);
});

Deno.test("Reloader goes on after a reload that failed", async () => {
  const results = [Promise.reject(new Error("unreadable")), Promise.resolve({ apply: () => {} })];
  const { reloader } = makeReloader([{ name: "settings", prepare: () => results.shift()! }]);
  assert.equal((await reloader.reload("SIGHUP")).applied, false);
  assert.equal((await reloader.reload("SIGHUP")).applied, true);
});

Deno.test("Reloader goes on after an observer that throws, and says why", async () => {
  const observer = {
    reloading() {
      throw new Error("no permission");
    },
    ready() {},
  };
  const { log, messages } = recordingLog();
  const signal = new AbortController().signal;
  const reloader = new Reloader({ parts: [], observer, signal, log, now: () => 0 });
  for (const outcome of await Promise.all([reloader.reload("x"), reloader.reload("y")])) {
    assert.deepEqual(outcome, { applied: false, findings: [{ message: "no permission" }], ms: 0 });
  }
  await reloader.idle();
  assert.match(messages().join(), /Reload failed: .*no permission/);
});

Deno.test("Reloader refuses while the daemon stops", async () => {
  const events: string[] = [];
  const { reloader, shown } = makeReloader([part("settings", events)], AbortSignal.abort());
  const outcome = await reloader.reload("SIGHUP");
  assert.deepEqual(outcome, { applied: false, findings: [{ message: "The daemon is stopping" }], ms: 0 });
  assert.deepEqual([events, shown], [[], []]);
});

Deno.test("Reloader applies nothing when the stop comes while it prepares", async () => {
  const events: string[] = [];
  const stop = new AbortController();
  const stopping: ReloadPart = {
    name: "accounts",
    prepare: () => Promise.resolve(stop.abort()).then(() => ({ apply: () => void events.push("applied") })),
  };
  const { reloader, shown } = makeReloader([part("settings", events), stopping], stop.signal);
  assert.equal((await reloader.reload("SIGHUP")).applied, false);
  assert.deepEqual(events, ["prepare settings", "discard settings"]);
  assert.deepEqual(shown, ["reloading"]);
});

Deno.test("Reloader doesn't call the service running when the stop comes while it applies", async () => {
  const stop = new AbortController();
  const stopping = part("settings", [], { apply: () => stop.abort() });
  const { reloader, shown } = makeReloader([stopping], stop.signal);
  assert.equal((await reloader.reload("SIGHUP")).applied, true);
  assert.deepEqual(shown, ["reloading"]);
});

Deno.test("describeFinding leaves out what it doesn't know", () => {
  assert.equal(describeFinding({ message: "Cannot read" }), "Cannot read");
  assert.equal(
    describeFinding({ file: "accounts.json", message: "Cannot read" }),
    "accounts.json: Cannot read",
  );
});
