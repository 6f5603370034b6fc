/** `start --take-over` from a predecessor that ends by itself, or leaves accounts that can't be read. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DaemonProcess } from "../support/daemon_process.ts";

const ignore = Deno.build.os !== "linux";

/** Answers as a daemon's admin API does; `onCall` is told the path, and may close it. */
function standIn(onCall: (path: string, close: () => void) => void): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = (async () => {
    for (;;) {
      using client = await listener.accept();
      const octets = new Uint8Array(4096);
      const request = new TextDecoder().decode(octets.subarray(0, await client.read(octets) ?? 0));
      const path = request.split(" ")[1]!;
      let isLast = false;
      onCall(path, () => isLast = true);
      if (isLast) listener.close();
      const body = JSON.stringify({ success: true, service: "xoauth2-proxy-admin", pid: 1 });
      const status = path === "/admin/shutdown" ? "202 Accepted" : "200 OK";
      const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
      await client.write(new TextEncoder().encode(head + body));
      if (isLast) return;
    }
  })();
  return { port: listener.addr.port, [Symbol.asyncDispose]: () => answered };
}

async function startAt(port: number): Promise<DaemonProcess> {
  return await DaemonProcess.start({
    args: ["--take-over", "--admin-port", String(port)],
    env: { XOAUTH2_ADMIN_TOKEN: "a".repeat(43) },
    waitsUntilReady: false,
  });
}

Deno.test({
  name: "A predecessor that ends between the question and the order to stop counts as gone",
  ignore,
  async fn() {
    await using first = standIn((path, close) => path === "/admin/status" && close());
    await using daemon = await startAt(first.port);
    await daemon.waitUntilReady();
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  },
});

Deno.test({
  name: "A newcomer that can't read the accounts after the take-over drains and ends with 78",
  ignore,
  async fn() {
    let directory = "";
    await using first = standIn((path, close) => {
      if (path !== "/admin/shutdown") return;
      Deno.writeTextFileSync(join(directory, "accounts.json"), "[ broken");
      close();
    });
    await using folder = await temporaryFolder();
    directory = folder.path;
    const accounts = join(directory, "accounts.json");
    await Deno.writeTextFile(accounts, "[]", { mode: 0o600 });
    await using daemon = await DaemonProcess.start({
      accounts,
      args: ["--take-over", "--admin-port", String(first.port)],
      env: { XOAUTH2_ADMIN_TOKEN: "a".repeat(43) },
      waitsUntilReady: false,
    });
    assert.deepEqual(await daemon.exited, { code: 78, signal: null });
    const messages = daemon.log.map(({ message }) => message);
    assert.ok(messages.some((text) => text.startsWith("Cannot start: ")), messages.join("\n"));
    assert.ok(messages.some((text) => text.startsWith("Drain step sessions done")), messages.join("\n"));
  },
});

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "xoauth2-proxy-take-over-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
