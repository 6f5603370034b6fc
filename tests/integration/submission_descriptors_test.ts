/** What listeners do while the process has no descriptors left, and after. */

import assert from "node:assert/strict";
import { programFromSource } from "../support/daemon_process.ts";
import { startDaemonFixture } from "../support/daemon_fixture.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";

/** More than the daemon opens by itself, fewer than the connections of the test. */
const LIMIT = 100;

const isWindows = Deno.build.os === "windows";

Deno.test({
  name: `Listeners of every kind go on when there are descriptors again${
    isWindows ? " (skipped: Windows knows no such limit)" : ""
  }`,
  ignore: isWindows,
  async fn() {
    await using fixture = await startDaemonFixture({
      listeners: [{ security: "tls" }, { security: "starttls" }, { security: "none" }],
      command: ["sh", "-c", `ulimit -n ${LIMIT} && exec "$@"`, "sh", ...programFromSource()],
    });
    const { daemon, upstream } = fixture;
    for (const index of [0, 1, 2]) {
      const connections: Deno.TcpConn[] = [];
      for (let count = 0; count < LIMIT; count++) {
        connections.push(await Deno.connect(fixture.listener(index)));
      }
      if (index === 0) {
        await daemon.waitForLog(
          ({ message }) => /^No connection can be accepted/.test(message),
          "lack of descriptors",
        );
      }
      // Ends the admin API's server, which is opened again.
      await fetch(`${daemon.adminUrl}/livez`).then((response) => response.body?.cancel(), () => {});
      for (const connection of connections) connection.close();
      const tls = index === 0 ? { tls: { caCertificate: upstream.caCertificate } } : {};
      using client = await SmtpTestClient.connect({ ...fixture.listener(index), ...tls });
      await client.expect("220 *");
    }
    await daemon.waitForLog(
      ({ message }) => /^The admin API can take no connection/.test(message),
      "the API's failure",
    );
    assert.equal(await statusOf(`${daemon.adminUrl}/livez`), 200);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  },
});

/** The status of the first answer: the server is opened again after a moment. */
async function statusOf(url: string): Promise<number> {
  const signal = AbortSignal.timeout(20_000);
  for (;;) {
    try {
      const response = await fetch(url, { signal });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
