/** Connections to token endpoints whose certificates an authority of the operator's own has signed. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { EndpointClient } from "../../src/oauth/endpoint_client.ts";
import { createTestCertificates, type TestCertificates } from "../support/certificates.ts";

function serve({ leaf }: TestCertificates, answer: () => Promise<Response>) {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: leaf.certificate,
    key: leaf.privateKey,
    onListen: () => {},
  }, answer);
  return { url: `https://127.0.0.1:${server.addr.port}/`, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("EndpointClient trusts a ca_file as it is now, and lets requests under way end", async () => {
  const [before, after] = [await createTestCertificates(), await createTestCertificates()];
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  await using old = serve(before, async () => {
    asked.resolve();
    await gate.promise;
    return new Response("old");
  });
  await using renewed = serve(after, () => Promise.resolve(new Response("renewed")));
  const folder = await Deno.makeTempDir();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  stack.defer(gate.resolve);
  const client = stack.adopt(new EndpointClient(), (adopted) => adopted.close());
  const caFile = join(folder, "ca.pem");
  const ask = async (url: string) => await (await client.fetchFor({ caFile })(url, {})).text();
  await Deno.writeTextFile(caFile, before.caCertificate);
  const underWay = ask(old.url);
  await asked.promise;
  await assert.rejects(ask(renewed.url), TypeError);
  await Deno.writeTextFile(caFile, after.caCertificate);
  assert.equal(await ask(renewed.url), "renewed");
  await assert.rejects(ask(old.url), TypeError);
  gate.resolve();
  assert.equal(await underWay, "old");
  for (const half of ["-----BEGIN CERTIFICATE-----\nMIIB", undefined]) {
    await (half === undefined ? Deno.remove(caFile) : Deno.writeTextFile(caFile, half));
    assert.equal(await ask(renewed.url), "renewed");
  }
});
