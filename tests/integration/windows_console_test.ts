import assert from "node:assert/strict";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";
import { ScriptedTokenEndpoint } from "../support/token_endpoint.ts";
import { configFor, MAILBOX } from "./lifecycle_stage.ts";
import { whySkipped, WindowsLab } from "./windows_lab.ts";

const skipped = whySkipped();

function test(name: string, fn: () => Promise<void>): void {
  const label = skipped === undefined ? name : `${name} (skipped: ${skipped})`;
  Deno.test({ name: label, ignore: skipped !== undefined, fn });
}

/** Provider and token endpoint on this system, the daemon on Windows; loopback is the same. */
async function startOnWindows() {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await ScriptedUpstream.start());
  const tokens = stack.use(await ScriptedTokenEndpoint.start());
  const lab = stack.use(await WindowsLab.open());
  await Deno.writeTextFile(`${lab.work}/ca.pem`, upstream.caCertificate);
  const config = configFor({ upstream, tokens, caFile: "C:\\work\\ca.pem", connections: 3 });
  await Deno.writeTextFile(`${lab.work}/config.json`, JSON.stringify(config));
  const account = { email: MAILBOX, provider: "scripted", client_id: "client", refresh_token: "refresh" };
  await Deno.writeTextFile(`${lab.work}/accounts.json`, JSON.stringify([account]));
  const program = ["run", "--no-prompt", "--cached-only", "-P=daemon", "/repository/src/main.ts", "start"];
  const options = ["--port", "0", "--admin-port", "0", "--log-format", "json", "--log-file", "proxy.log"];
  const process = lab.start([...program, ...options]);
  const [, port] = await lab.waitForMatch(
    "proxy.log",
    /"listeners":\[\{"hostname":"127\.0\.0\.1","port":(\d+)/,
  );
  const owned = stack.move();
  return {
    upstream,
    tokens,
    lab,
    process,
    port: Number(port),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function signIn(port: number): Promise<SmtpTestClient> {
  const client = await SmtpTestClient.connect({ port, deadlineMs: 15_000 });
  await client.expect("220 *");
  await client.command("EHLO client.example", "250 *");
  await client.authPlain(MAILBOX, "any");
  return client;
}

test("on Windows a message is relayed, and Ctrl+C drains: the client reads 421, the exit status is 0", async () => {
  await using windows = await startOnWindows();
  using client = await signIn(windows.port);
  const data = "Subject: from Windows\r\n\r\nHello\r\n";
  assert.match(await client.send({ from: MAILBOX, to: ["someone@example.net"], data }), /^250 /);
  await windows.lab.press("c");
  await client.dialog`
    S: 421 4.3.2 *
    S: <end>
  `;
  assert.equal((await windows.process.exited).code, 0);
  assert.equal(windows.upstream.messages.length, 1);
  assert.match(await windows.lab.read("proxy.log"), /Received \\?"?SIGINT[^]*Stopped in [\d.]+ ms, exit 0/);
});

test("on Windows a message under way at Ctrl+C is relayed to its end", async () => {
  await using windows = await startOnWindows();
  using client = await signIn(windows.port);
  await client.command(`MAIL FROM:<${MAILBOX}>`, "250 *");
  await client.command("RCPT TO:<someone@example.net>", "250 *");
  await client.command("DATA", "354 *");
  await windows.lab.press("c");
  await windows.lab.waitForMatch("proxy.log", /Draining because of/);
  await client.dialog`
    C: Subject: half
    C:
    C: .
    S: 250 *
    S: 421 4.3.2 *
    S: <end>
  `;
  assert.equal((await windows.process.exited).code, 0);
  assert.equal(windows.upstream.messages.length, 1);
});

test("on Windows a second Ctrl+C ends at once", async () => {
  await using windows = await startOnWindows();
  using client = await signIn(windows.port);
  await client.command(`MAIL FROM:<${MAILBOX}>`, "250 *");
  await client.command("RCPT TO:<someone@example.net>", "250 *");
  await client.command("DATA", "354 *");
  await windows.lab.press("c");
  await windows.lab.waitForMatch("proxy.log", /Draining because of/);
  // Two presses within a few milliseconds count as one; no person is that fast.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await windows.lab.press("c");
  assert.equal((await windows.process.exited).code, 130);
  assert.equal(windows.upstream.messages.length, 0);
});

test("on Windows a rotated refresh token replaces the one in accounts.json", async () => {
  await using windows = await startOnWindows();
  windows.tokens.always({
    body: { access_token: "access", token_type: "Bearer", expires_in: 3600, refresh_token: "rotated" },
  });
  using client = await signIn(windows.port);
  await client.command(`MAIL FROM:<${MAILBOX}>`, "250 *");
  const [account] = JSON.parse(await windows.lab.read("accounts.json"));
  assert.equal(account.refresh_token, "rotated");
  await windows.lab.press("c");
  assert.equal((await windows.process.exited).code, 0);
  assert.doesNotMatch(await windows.lab.read("proxy.log"), /"level":"ERROR"/);
});
