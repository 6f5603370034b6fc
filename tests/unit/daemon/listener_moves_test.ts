import assert from "node:assert/strict";
import { ConfigError } from "../../../src/config/config_error.ts";
import type { ListenerSettings } from "../../../src/config/settings.ts";
import { refuseMoves } from "../../../src/daemon/listener_moves.ts";
import { openListener } from "../../../src/submission/listener.ts";

const settings: ListenerSettings = {
  hostname: "127.0.0.1",
  port: 0,
  security: "none",
  requireTlsForAuth: false,
  allowedClients: [],
  maxSessions: 10,
  maxSessionsPerClient: 10,
};

Deno.test("refuseMoves lets a listener change on its own port on Linux only", async () => {
  const listener = openListener(settings, { onConnection: () => {} });
  const { port } = listener.address;
  const plans = [{ settings: { ...settings, port } }, {
    settings: { ...settings, port, hostname: "0.0.0.0" },
  }];
  const options = { file: "config.json", held: [listener] };
  assert.doesNotThrow(() => refuseMoves(plans, { ...options, platform: "linux" }));
  assert.throws(() => refuseMoves(plans, { ...options, platform: "windows" }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.findings.map(({ path }) => path), ["listeners[1]"]);
    assert.match(error.findings[0]!.message, /needs a restart/);
    return true;
  });
  await listener.close();
});
