import assert from "node:assert/strict";
import { createProxyFiles } from "../../src/sandbox/proxy_files.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { startOtlpCollector } from "../support/otlp_collector.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";

Deno.test("The daemon exports the span tree of one message, and no secret in it", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const sandbox = stack.use(await startSandbox({ caFile: `${folder}/ca.pem` }));
  const collector = stack.use(startOtlpCollector());
  const files = await createProxyFiles({ sandbox, accounts: [sandbox.account] });
  const daemon = stack.use(await DaemonProcess.start({ ...files, env: collector.env }));
  const { email, refreshToken, clientSecret, password } = sandbox.account;
  {
    await using client = await SmtpTestClient.connect(daemon.listener);
    await client.expect(/^220 /);
    await client.command("EHLO client.example", /^250 /);
    await client.authPlain(email, password);
    await client.dialog`
      C: MAIL FROM:<${email}>
      S: 250 *
      C: RCPT TO:<someone@example.com>
      S: 250 *
      C: DATA
      S: 354 *
      C: Subject: traced
      C:
      C: .
      S: 250 *
    `;
  }
  assert.equal((await daemon.stop()).code, 0);
  const named = (name: string) => collector.spans.find((span) => span.name === name);
  const transaction = named("transaction");
  assert.ok(transaction, `spans: ${collector.spans.map(({ name }) => name).join(", ")}`);
  const wait = named("pool wait");
  assert.equal(wait?.parentSpanId, transaction.spanId);
  assert.equal(named("upstream")?.parentSpanId, transaction.spanId);
  assert.equal(named("token")?.parentSpanId, wait.spanId);
  for (const secret of [refreshToken, clientSecret, password]) assert.ok(!collector.text.includes(secret));
});
