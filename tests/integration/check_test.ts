/** `check` finds what a start refuses. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { createTestCertificates } from "../support/certificates.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { CliFixture } from "./cli_fixture.ts";

Deno.test("check and start find the same faults, all of them together", async () => {
  const [one, other] = [await createTestCertificates(), await createTestCertificates()];
  await using fixture = await CliFixture.create();
  const certificate_file = await fixture.write("certificate.pem", one.leaf.certificate);
  const private_key_file = await fixture.write("key.pem", other.leaf.privateKey);
  const tls = { security: "tls", certificate_file, private_key_file };
  const config = await fixture.write(
    "config.json",
    JSON.stringify({
      listeners: [
        { port: 0 },
        { port: 2526, account: "nobody@example.com", allowed_clients: ["127.0.0.1"] },
        { port: 2527, ...tls },
        { port: 9 },
        { port: 2528, ...tls, certificate_file: "absent.pem" },
      ],
    }),
  );
  const { status, json } = await fixture.run(["check", "--json"]);
  const expected = [
    /absent\.pem/,
    /fits the key/,
    /no account "nobody@example\.com"/,
    /taken by the admin API/,
  ];
  assert.equal(status, 78);
  const faults: string[] = json.faults.map(({ message }: { message: string }) => message);
  assert.equal(faults.length, expected.length, faults.join("\n"));
  for (const [index, pattern] of expected.entries()) assert.match(faults[index]!, pattern);

  await using daemon = await DaemonProcess.start({
    config,
    accounts: join(fixture.directory, "accounts.json"),
    args: ["--admin-port", "9"],
    waitsUntilReady: false,
  });
  assert.deepEqual(await daemon.exited, { code: 78, signal: null });
  const said = daemon.log.map(({ message }) => message).filter((text) => text.startsWith("Cannot start: "));
  assert.equal(said.length, expected.length, said.join("\n"));
  for (const [index, pattern] of expected.entries()) assert.match(said[index]!, pattern);
});
