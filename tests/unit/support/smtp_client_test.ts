import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ScriptedUpstream } from "../../support/scripted_upstream.ts";
import { SmtpTestClient } from "../../support/smtp_client.ts";

Deno.test("SmtpTestClient fails with the transcript so far", async () => {
  await using upstream = await ScriptedUpstream.start({ security: "none" });
  using client = await SmtpTestClient.connect(upstream.endpoint);
  await assert.rejects(
    client.dialog`
    S: 220 *
    C: NOOP
    S: 550 *
  `,
    /"550 \*" was awaited\nS: 220 upstream.test ESMTP\nC: NOOP\nS: 250 2\.0\.0 OK$/,
  );
});

Deno.test("SmtpTestClient gives up at its deadline", async () => {
  await using upstream = await ScriptedUpstream.start({ security: "none" });
  upstream.once("NOOP", "hang");
  using client = await SmtpTestClient.connect({ ...upstream.endpoint, deadlineMs: 50 });
  await client.expect("220 *");
  await assert.rejects(client.command("NOOP", "250 *"), /no reply within 50 ms\nS: 220 .*\nC: NOOP$/);
});

Deno.test("SmtpTestClient sends the same octets however it cuts them", async () => {
  await using upstream = await ScriptedUpstream.start({ security: "none", requiresAuth: false });
  using client = await SmtpTestClient.connect(upstream.endpoint);
  await client.expect("220 *");
  const body = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251)).toString("latin1")
    .replaceAll("\n", "");
  for (const segmentation of ["whole", "octets", { seed: 1 }, { seed: 2 }] as const) {
    await client.command("MAIL FROM:<a@example.com>", "250 *");
    await client.command("RCPT TO:<b@example.net>", "250 *");
    await client.command("DATA", "354 *");
    await client.write(Buffer.from(`${body}\r\n.\r\n`, "latin1"), segmentation);
    await client.expect("250 *");
  }
  assert.equal(upstream.messages.length, 4);
  for (const message of upstream.messages) {
    assert.equal(Buffer.from(message.body).toString("latin1"), `${body}\r\n.\r\n`);
  }
});

Deno.test("SmtpTestClient tells an end from a reset and from more data", async () => {
  await using upstream = await ScriptedUpstream.start({ security: "none" });
  upstream.once("NOOP", "close");
  upstream.once("NOOP", "reset");
  for (const end of ["closed", "reset"]) {
    using client = await SmtpTestClient.connect(upstream.endpoint);
    await client.expect("220 *");
    await client.writeln("NOOP");
    assert.equal(await client.expectEnd(), end);
  }
  using client = await SmtpTestClient.connect(upstream.endpoint);
  await assert.rejects(client.expectEnd(), /the end was awaited, but came "220 /);
});

Deno.test("SmtpTestClient refuses a dialog line of nobody", async () => {
  await using upstream = await ScriptedUpstream.start({ security: "none" });
  using client = await SmtpTestClient.connect(upstream.endpoint);
  await assert.rejects(
    client.dialog`
    220 *
  `,
    SyntaxError,
  );
});
