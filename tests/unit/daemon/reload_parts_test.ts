import assert from "node:assert/strict";
import { mock } from "node:test";
import type { Daemon } from "../../../src/daemon/daemon.ts";
import { reloadParts } from "../../../src/daemon/reload_parts.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";

Deno.test("reloadParts gives a reading up that doesn't come to its end, so that the next reload can begin", async () => {
  const { log } = recordingLog();
  const daemon = { log: { logger: log }, settings: {} } as unknown as Daemon;
  const [part] = reloadParts(daemon, () => new Promise(() => {}));
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const refused = assert.rejects(part!.prepare(new AbortController().signal), /not read within 30 s/);
    mock.timers.tick(30_000);
    await refused;
  } finally {
    mock.timers.reset();
  }
});
