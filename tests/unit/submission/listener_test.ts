import assert from "node:assert/strict";
import type { ListenerSettings } from "../../../src/config/settings.ts";
import { openListener } from "../../../src/submission/listener.ts";

function settings(port: number): ListenerSettings {
  return {
    hostname: "127.0.0.1",
    port,
    security: "none",
    requireTlsForAuth: false,
    allowedClients: [],
    maxSessions: 10,
    maxSessionsPerClient: 10,
  };
}

Deno.test("openListener names the address that is in use", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  await assert.rejects(openListener(settings(port), { onConnection: () => {} }), (error) => {
    assert.ok(error instanceof Deno.errors.AddrInUse);
    assert.equal(error.message, `127.0.0.1:${port} is in use`);
    return true;
  });
});

Deno.test("A plain listener closes a connection that takes no options, and serves the next", async () => {
  const served = Promise.withResolvers<void>();
  const listener = await openListener(settings(0), {
    onConnection(stream) {
      stream.close();
      served.resolve();
    },
  });
  const { address } = listener;
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using sample = await Deno.connect({ hostname: "127.0.0.1", port: probe.addr.port });
  using _sampled = await probe.accept();
  const prototype = Object.getPrototypeOf(sample);
  const original = prototype.setNoDelay;
  prototype.setNoDelay = () => {
    prototype.setNoDelay = original;
    throw new Error("Invalid argument");
  };
  using first = await Deno.connect(address);
  assert.equal(await first.read(new Uint8Array(1)), null);
  using second = await Deno.connect(address);
  await served.promise;
  assert.equal(await second.read(new Uint8Array(1)), null);
  await listener.close();
});
