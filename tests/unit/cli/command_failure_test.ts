import assert from "node:assert/strict";
import { CommandFailure, runCommand } from "../../../src/cli/command_failure.ts";

/** Runs a command that fails. */
async function fail(error: Error, { json, env = {} }: { json?: boolean; env?: Record<string, string> } = {}) {
  const out: string[] = [];
  const err: string[] = [];
  let status = 0;
  await runCommand(() => Promise.reject(error), {
    context: {
      env,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
      isTerminal: false,
      finish: (ended) => status = ended,
    },
    json,
  });
  return { status, out, err };
}

Deno.test("runCommand tells every failure in one line", async () => {
  const { status, out, err } = await fail(new TypeError("a is undefined"));
  assert.deepEqual({ status, out, err }, { status: 1, out: [], err: ["error: a is undefined"] });
});

Deno.test("runCommand tells every failure as JSON where that is asked for", async () => {
  const { status, out, err } = await fail(new CommandFailure("Not so", { status: 64 }), { json: true });
  assert.deepEqual({ status, err }, { status: 64, err: [] });
  assert.deepEqual(out.map((line) => JSON.parse(line)), [{ success: false, error: "Not so", details: [] }]);
});

Deno.test("runCommand shows the place in the code for those who debug", async () => {
  const { err } = await fail(new TypeError("a is undefined"), { env: { XOAUTH2_LOG_LEVEL: "debug" } });
  assert.match(err.join("\n"), /command_failure_test\.ts/);
});
