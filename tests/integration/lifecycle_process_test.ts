import assert from "node:assert/strict";
import { startFixture } from "./lifecycle_process.ts";

/** Windows ends a child at any signal; the console's events are tried in windows_console_test.ts. */
const ignore = Deno.build.os === "windows";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`a process that is idle exits with 0 at ${signal}, and has logged its steps`, async () => {
    await using process = startFixture("idle");
    await process.line(/^ready$/);
    process.signal(signal);
    await process.line(new RegExp(`^Received ${signal}$`));
    await process.line(/^Drain step sessions done in [\d.]+ ms$/);
    await process.line(
      /^Stopped in [\d.]+ ms, exit 0: reload [\d.]+ ms, sessions .* ms, fault .* ms; nothing cut$/,
    );
    assert.equal(await process.exitStatus(), 0);
  });

  test(`a process that is starting ends its start-up at ${signal}`, async () => {
    await using process = startFixture("starting");
    await process.line(/^pid /);
    process.signal(signal);
    assert.equal(await process.exitStatus(), 0);
    assert.doesNotMatch(process.transcript, /^ready$/m);
  });
}

for (
  const [first, second, exitStatus] of [["SIGTERM", "SIGTERM", 143], ["SIGTERM", "SIGINT", 130]] as const
) {
  for (const work of ["wait", "hang"]) {
    test(`a drain that would ${work} ends at once with ${exitStatus} at ${first}, then ${second}`, async () => {
      await using process = startFixture(work);
      await process.line(/^ready$/);
      process.signal(first);
      await process.line(/^Drain step reload done/);
      process.signal(second);
      await process.line(/^Ending at once/);
      assert.equal(await process.exitStatus(), exitStatus);
    });
  }
}

for (const work of ["cut", "hang"]) {
  test(`a drain exits with 75 when its deadline comes and the work would ${work}`, async () => {
    await using process = startFixture(work, { SHUTDOWN_TIMEOUT_MS: "300" });
    await process.line(/^ready$/);
    process.signal("SIGTERM");
    await process.line(
      work === "cut" ? /exit 75: .*cut 1: session 1$/ : /exit 75: .*sessions abandoned after/,
    );
    assert.equal(await process.exitStatus(), 75);
  });
}

for (const work of ["rejection", "exception"]) {
  test(`an unhandled ${work} drains and exits with 1`, async () => {
    await using process = startFixture(work);
    await process.line(/^Unexpected failure, stopping: Error: nobody/);
    await process.line(/^Drain step sessions done/);
    assert.equal(await process.exitStatus(), 1);
  });
}

test("a drain step that fails is logged, and the process exits with 1", async () => {
  await using process = startFixture("fault");
  await process.line(/^ready$/);
  process.signal("SIGTERM");
  await process.line(/^Drain step fault failed .*: Error: disk full$/);
  assert.equal(await process.exitStatus(), 1);
});

test("SIGHUP reloads, and a faulty reload leaves the process running", async () => {
  const file = await Deno.makeTempFile();
  await using process = startFixture("idle", { RELOAD_FILE: file });
  await process.line(/^ready$/);
  process.signal("SIGHUP");
  await process.line(/^Reloaded in/);
  await Deno.writeTextFile(file, "broken");
  process.signal("SIGHUP");
  await process.line(/^Cannot reload: The word is broken$/);
  process.signal("SIGTERM");
  assert.equal(await process.exitStatus(), 0);
  await Deno.remove(file);
});
