import assert from "node:assert/strict";
import { ChildProcess } from "../../support/child_process.ts";
import { DaemonProcess } from "../../support/daemon_process.ts";

/** Says what a daemon says, as the fixture's whole program. */
const READY_PROGRAM = `
  const properties = { listeners: [{ hostname: "127.0.0.1", port: 1 }], admin: { hostname: "127.0.0.1", port: 2 } };
  console.error("no JSON");
  console.error(JSON.stringify({ level: "INFO", message: "xoauth2-proxy is ready", properties, arguments: Deno.args }));
  const stop = Promise.withResolvers();
  Deno.addSignalListener("SIGTERM", stop.resolve);
  const alive = setInterval(() => {}, 1000);
  await stop.promise;
  clearInterval(alive);
  Deno.exit(75);
`;

/** `deno eval` takes no arguments behind a program, so the fixture is a file. */
async function withProgram(
  program: string,
  test: (command: [string, ...string[]]) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  try {
    await test([Deno.execPath(), "run", "-A", file]);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("DaemonProcess waits for the ready line, stops by SIGTERM and cleans up", async () => {
  await withProgram(READY_PROGRAM, async (command) => {
    const daemon = await DaemonProcess.start({
      command,
      accounts: [{ email: "a@example.com" }],
      args: ["--dry-run"],
    });
    assert.deepEqual(daemon.listener, { hostname: "127.0.0.1", port: 1 });
    assert.equal(daemon.adminUrl, "http://127.0.0.1:2");
    assert.ok(daemon.strayLines.includes("no JSON"));
    const accounts = JSON.parse(await Deno.readTextFile(`${daemon.directory}/accounts.json`));
    assert.deepEqual(accounts, [{ email: "a@example.com" }]);
    assert.equal((daemon.log[0]?.properties.arguments as string[]).at(-1), "--dry-run");
    assert.deepEqual(await daemon.stop(), { code: 75, signal: null });
    await daemon[Symbol.asyncDispose]();
    await assert.rejects(Deno.stat(daemon.directory), Deno.errors.NotFound);
  });
});

Deno.test("DaemonProcess kills a daemon that still runs at its disposal", async () => {
  await withProgram(READY_PROGRAM, async (command) => {
    const daemon = await DaemonProcess.start({ command });
    const { exited } = daemon;
    await daemon[Symbol.asyncDispose]();
    assert.equal((await exited).signal, "SIGKILL");
  });
});

Deno.test("DaemonProcess fails with the output of a daemon that didn't start", async () => {
  await withProgram(`console.error("no configuration"); Deno.exit(78);`, async (command) => {
    await assert.rejects(
      DaemonProcess.start({ command }),
      /the process ended. Output:\n(.*\n)*no configuration/,
    );
    await using failed = await DaemonProcess.start({ command, waitsUntilReady: false });
    assert.equal((await failed.exited).code, 78);
    assert.throws(() => failed.listener, /isn't ready/);
  });
});

Deno.test("ChildProcess cuts output into lines and gives up at the deadline", async () => {
  await using child = ChildProcess.spawn({
    command: [
      Deno.execPath(),
      "eval",
      `
    await Deno.stdout.write(new TextEncoder().encode("one\\r\\ntw"));
    await Deno.stdout.write(new TextEncoder().encode("o\\nthree"));
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  `,
    ],
  });
  const find = ({ stdout }: ChildProcess["lines"]) => stdout.length >= 2 ? stdout : undefined;
  assert.deepEqual(await child.waitForLine(find, { what: "Two lines" }), ["one", "two"]);
  await assert.rejects(
    child.waitForLine(() => undefined, { what: "More", deadlineMs: 10 }),
    /More was awaited, but not within 10 ms. Output:\none\ntwo$/,
  );
});
