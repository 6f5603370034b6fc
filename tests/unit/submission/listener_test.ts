import assert from "node:assert/strict";
import type { ListenerSettings } from "../../../src/config/settings.ts";
import { openListener } from "../../../src/submission/listener.ts";
import { SmtpTestClient } from "../../support/smtp_client.ts";

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

Deno.test("openListener names the address that is in use", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  assert.throws(() => openListener(settings(port), { onConnection: () => {} }), (error) => {
    assert.ok(error instanceof Deno.errors.AddrInUse);
    assert.equal(error.message, `127.0.0.1:${port} is in use`);
    return true;
  });
});

const GREETING = new TextEncoder().encode("220 x\r\n");
const RESET_60 = `
  import { connect } from "node:net";
  for (let count = 0; count < 60; count++) {
    await new Promise((resolve) => {
      const socket = connect(Number(Deno.args[0]), "127.0.0.1", () => resolve(socket.resetAndDestroy()));
    });
  }
`;

Deno.test("A plain listener serves at once however many connections were reset before it came to them", async () => {
  const serving: Promise<void>[] = [];
  const listener = openListener(settings(0), {
    onConnection: (stream) => serving.push(stream.write(GREETING).finally(() => stream.close())),
  });
  const { port } = listener.address;
  // While this process stands still, so that they wait to be accepted when they are gone.
  new Deno.Command(Deno.execPath(), { args: ["eval", RESET_60, String(port)] }).outputSync();
  using client = await SmtpTestClient.connect({ port });
  await client.expect("220 x");
  await listener.close();
  await Promise.all(serving);
});

Deno.test("A plain listener closes a connection that takes no options, and serves the next", async () => {
  const served = Promise.withResolvers<void>();
  const listener = openListener(settings(0), {
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
