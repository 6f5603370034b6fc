import assert from "node:assert/strict";
import { startFixture, waitForText } from "./lifecycle_process.ts";

/** Windows ends a child at any signal; the console's events are tried in windows_console_test.ts. */
const ignore = Deno.build.os === "windows";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`a process that is idle exits with 0 at ${signal}, and has logged its steps`, async () => {
    await using process = startFixture("idle");
    await waitForText(process, /^ready$/);
    process.signal(signal);
    assert.equal((await process.exited).code, 0);
    const text = process.lines.stdout.slice(2).join("\n").replaceAll(/[\d.]+ ms/g, "N ms");
    assert.equal(
      text,
      `Received ${signal}\nDraining because of ${signal}\nDrain step reload done in N ms\n` +
        "Drain step sessions done in N ms\nDrain step fault done in N ms\n" +
        "Stopped in N ms, exit 0: reload N ms, sessions N ms, fault N ms; nothing cut",
    );
  });

  test(`a process that is starting ends its start-up at ${signal}`, async () => {
    await using process = startFixture("starting");
    await waitForText(process, /^pid /);
    process.signal(signal);
    assert.equal((await process.exited).code, 0);
    assert.ok(!process.lines.stdout.includes("ready"));
  });
}

for (
  const [first, second, exitStatus] of [["SIGTERM", "SIGTERM", 143], ["SIGTERM", "SIGINT", 130]] as const
) {
  for (const work of ["wait", "hang", "stuck"]) {
    test(`a drain that is at ${work} ends at once with ${exitStatus} at ${first}, then ${second}`, async () => {
      await using process = startFixture(work);
      await waitForText(process, /^ready$/);
      process.signal(first);
      await waitForText(process, /^Drain step reload done/);
      process.signal(second);
      assert.equal((await process.exited).code, exitStatus);
    });
  }
}

test("a start-up that hangs ends at once at a second signal", async () => {
  await using process = startFixture("hanging start");
  await waitForText(process, /^pid /);
  process.signal("SIGTERM");
  await waitForText(process, /^Received SIGTERM$/);
  process.signal("SIGTERM");
  assert.equal((await process.exited).code, 143);
});

for (const [work, story] of [["cut", /cut 1: session 1$/], ["hang", /sessions abandoned after/]] as const) {
  test(`a drain exits with 75 when its deadline comes and the work is at ${work}`, async () => {
    await using process = startFixture(work, { SHUTDOWN_TIMEOUT_MS: "300" });
    await waitForText(process, /^ready$/);
    process.signal("SIGTERM");
    assert.equal((await process.exited).code, 75);
    assert.match(process.lines.stdout.at(-1)!, story);
  });
}

for (const work of ["rejection", "exception"]) {
  test(`an unhandled ${work} drains and exits with 1`, async () => {
    await using process = startFixture(work);
    assert.equal((await process.exited).code, 1);
    await waitForText(process, /^Unexpected failure, stopping: Error: nobody/);
    await waitForText(process, /^Drain step sessions done/);
  });
}

test("a drain step that fails is logged, and the process exits with 1", async () => {
  await using process = startFixture("fault");
  await waitForText(process, /^ready$/);
  process.signal("SIGTERM");
  assert.equal((await process.exited).code, 1);
  await waitForText(process, /^Drain step fault failed .*: Error: disk full$/);
});

test("SIGHUP reloads, and a faulty reload leaves the process running", async () => {
  const file = await Deno.makeTempFile();
  await using process = startFixture("idle", { RELOAD_FILE: file });
  await waitForText(process, /^ready$/);
  process.signal("SIGHUP");
  await waitForText(process, /^Reloaded in/);
  await Deno.writeTextFile(file, "broken");
  process.signal("SIGHUP");
  await waitForText(process, /^Cannot reload: The word is broken$/);
  process.signal("SIGTERM");
  assert.equal((await process.exited).code, 0);
  await Deno.remove(file);
});
