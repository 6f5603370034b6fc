/** What the daemon tells systemd, and when. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DaemonProcess } from "../support/daemon_process.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { standIn } from "../support/stand_in_daemon.ts";

Deno.test({
  name: "A stop asks systemd for the time that the drain may take since the last reload",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using systemd = await NotifySocket.open();
    await using daemon = await DaemonProcess.start({
      config: { global: { shutdown_timeout: 1 } },
      env: { NOTIFY_SOCKET: systemd.path },
    });
    const config = { global: { shutdown_timeout: 120 } };
    await Deno.writeTextFile(join(daemon.directory, "config.json"), JSON.stringify(config));
    daemon.signal("SIGHUP");
    await daemon.waitForLog(({ message }) => message.startsWith("Reloaded"), "The reload's end");
    await daemon.stop();
    const notifications = [];
    for (let count = 0; count < 4; count++) notifications.push(await systemd.next());
    assert.deepEqual(notifications.map(([state]) => state), [
      "READY=1",
      "RELOADING=1",
      "READY=1",
      "STOPPING=1",
    ]);
    assert.ok(notifications[3]!.includes("EXTEND_TIMEOUT_USEC=125000000"), notifications[3]!.join("\n"));
  },
});

Deno.test({
  name: "A reload that is asked for during a take-over waits for its end, and READY=1 too",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using systemd = await NotifySocket.open();
    let isToEnd = false;
    await using first = standIn((path, close) => path === "/health" && isToEnd && close());
    await using daemon = await DaemonProcess.start({
      args: ["--take-over", "--admin-port", String(first.port)],
      env: { XOAUTH2_ADMIN_TOKEN: "a".repeat(43), NOTIFY_SOCKET: systemd.path },
      waitsUntilReady: false,
    });
    await daemon.waitForLog(({ message }) => message.startsWith("Taking over"), "The take-over");
    daemon.signal("SIGHUP");
    await daemon.waitForLog(({ message }) => message === "Received SIGHUP", "The signal's arrival");
    isToEnd = true;
    await daemon.waitForLog(({ message }) => message === "Reloading because of SIGHUP", "The reload");
    const messages = daemon.log.map(({ message }) => message);
    const ready = messages.findIndex((message) => message.startsWith("Ready: "));
    assert.ok(ready !== -1 && ready < messages.indexOf("Reloading because of SIGHUP"), messages.join("\n"));
    await daemon.stop();
    const [, status] = await systemd.next();
    assert.match(status!, /^STATUS=Ready: /);
    assert.deepEqual((await systemd.next())[0], "RELOADING=1");
  },
});
