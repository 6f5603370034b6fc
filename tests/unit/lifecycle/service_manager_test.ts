import assert from "node:assert/strict";
import { ServiceManager } from "../../../src/lifecycle/service_manager.ts";
import { NotifySocket } from "../../support/notify_socket.ts";
import { recordingLog } from "./recording_log.ts";

const onUnix = { ignore: Deno.build.os === "windows" };

function serviceManager(environment: Record<string, string>) {
  const { log, messages } = recordingLog();
  const manager = new ServiceManager({
    log,
    environment: (name) => environment[name],
    uptimeSeconds: () => 41,
  });
  return { manager, messages };
}

Deno.test({
  ...onUnix,
  name: "ServiceManager sends every state in order, each in one datagram",
  async fn() {
    await using systemd = await NotifySocket.open();
    const { manager } = serviceManager({ NOTIFY_SOCKET: systemd.path });
    await using _manager = manager;
    manager.extendTimeout(90_000);
    manager.ready("Running\non 127.0.0.1:2525");
    manager.reloading();
    manager.status("Busy");
    manager.stopping("Draining", 10_000);
    const datagrams = [];
    for (let count = 0; count < 5; count++) datagrams.push(await systemd.next());
    assert.deepEqual(datagrams, [
      ["EXTEND_TIMEOUT_USEC=90000000"],
      ["READY=1", "STATUS=Running on 127.0.0.1:2525"],
      ["RELOADING=1", "MONOTONIC_USEC=42000000"],
      ["STATUS=Busy"],
      ["STOPPING=1", "STATUS=Draining", "EXTEND_TIMEOUT_USEC=15000000"],
    ]);
  },
});

Deno.test({
  ignore: Deno.build.os !== "linux",
  name: "ServiceManager reaches an abstract socket by its @ name",
  async fn() {
    const name = `xoauth2-proxy-${crypto.randomUUID()}`;
    await using systemd = NotifySocket.openAbstract(name);
    const { manager } = serviceManager({ NOTIFY_SOCKET: `@${name}` });
    await using _manager = manager;
    manager.status("Running");
    assert.deepEqual(await systemd.next(), ["STATUS=Running"]);
  },
});

Deno.test({
  ...onUnix,
  name: "ServiceManager pings the watchdog once it is ready",
  async fn() {
    await using systemd = await NotifySocket.open();
    const environment = {
      NOTIFY_SOCKET: systemd.path,
      WATCHDOG_USEC: "20000",
      WATCHDOG_PID: String(Deno.pid),
    };
    const { manager } = serviceManager(environment);
    await using _manager = manager;
    manager.ready("Running");
    assert.deepEqual(await systemd.next(), ["READY=1", "STATUS=Running"]);
    // A timer of the test itself keeps the event loop alive: the pings don't, on purpose.
    const alive = setInterval(() => {}, 1_000);
    assert.deepEqual(await systemd.next(), ["WATCHDOG=1"]);
    assert.deepEqual(await systemd.next(), ["WATCHDOG=1"]);
    clearInterval(alive);
  },
});

Deno.test({
  ...onUnix,
  name: "ServiceManager leaves a watchdog alone that is meant for another process",
  async fn() {
    await using systemd = await NotifySocket.open();
    const environment = {
      NOTIFY_SOCKET: systemd.path,
      WATCHDOG_USEC: "2",
      WATCHDOG_PID: String(Deno.pid + 1),
    };
    const { manager } = serviceManager(environment);
    await using _manager = manager;
    manager.ready("Running");
    await systemd.next();
    // A ping each millisecond would come before the status that is sent after these.
    await new Promise((resolve) => setTimeout(resolve, 5));
    manager.status("Still running");
    assert.deepEqual(await systemd.next(), ["STATUS=Still running"]);
  },
});

Deno.test("ServiceManager does nothing where no service manager listens", async () => {
  const { manager, messages } = serviceManager({ WATCHDOG_USEC: "1000" });
  assert.equal(manager.present, false);
  manager.ready("Running");
  manager.stopping("Draining", 10);
  await manager.flush();
  await manager[Symbol.asyncDispose]();
  assert.deepEqual(messages(), []);
});

Deno.test({
  ...onUnix,
  name: "ServiceManager logs a socket that can't be reached once, and goes on",
  async fn() {
    const { manager, messages } = serviceManager({ NOTIFY_SOCKET: "/nonexistent/notify" });
    await using _manager = manager;
    manager.ready("Running");
    manager.status("Busy");
    await manager.flush();
    assert.equal(messages().length, 1);
    assert.match(messages()[0]!, /^Cannot notify systemd at \/nonexistent\/notify: .*check NotifyAccess=/);
  },
});

Deno.test("ServiceManager can be disposed of twice", async () => {
  const { manager } = serviceManager({});
  await manager[Symbol.asyncDispose]();
  await manager[Symbol.asyncDispose]();
  assert.equal(manager.present, false);
});
