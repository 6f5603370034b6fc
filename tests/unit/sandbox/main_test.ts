import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { verifyPassword } from "../../../src/accounts/password_hash.ts";
import type { SandboxMessageLine, SandboxReadyLine } from "../../../src/sandbox/main.ts";
import { ChildProcess } from "../../support/child_process.ts";
import { SmtpTestClient } from "../../support/smtp_client.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

function spawnSandbox(args: readonly string[]): ChildProcess {
  const main = join(ROOT, "src", "sandbox", "main.ts");
  return ChildProcess.spawn({
    command: [Deno.execPath(), "run", "--no-prompt", "-P=daemon", main, ...args],
    cwd: ROOT,
  });
}

function waitForEvent<T extends { event: string }>(sandbox: ChildProcess, event: T["event"]): Promise<T> {
  const find = ({ stdout }: ChildProcess["lines"]) =>
    stdout.map((line) => JSON.parse(line) as T).find((line) => line.event === event);
  return sandbox.waitForLine(find, { what: `The sandbox's ${event} line` });
}

Deno.test("the sandbox process tells of itself and of each message, and ends on SIGTERM", async () => {
  const directory = await Deno.makeTempDir();
  {
    await using sandbox = spawnSandbox(["--directory", directory, "--refusal-style", "microsoft"]);
    const ready = await waitForEvent<SandboxReadyLine>(sandbox, "ready");
    const { account, smtp, tokenUrl } = ready;
    const config = JSON.parse(await Deno.readTextFile(ready.configFile));
    assert.deepEqual(config.providers.sandbox, {
      smtp_endpoint: `127.0.0.1:${smtp.port}`,
      smtp_security: "starttls",
      oauth_token_url: tokenUrl,
      ca_file: join(directory, "ca.pem"),
    });
    const [entry] = JSON.parse(await Deno.readTextFile(ready.accountsFile));
    assert.ok(await verifyPassword(account.password, entry.password_hash));
    const form = { ...entry, grant_type: "refresh_token" };
    const { access_token } =
      await (await fetch(tokenUrl, { method: "POST", body: new URLSearchParams(form) })).json();

    using client = await SmtpTestClient.connect(smtp);
    await client.openSecurely({ caCertificate: await Deno.readTextFile(ready.caFile) });
    assert.match(await client.authXoauth2(account.email, access_token), /^235 /);
    const reply = await client.send({ from: account.email, to: ["b@example.net"], data: "Subject: x" });
    const message = await waitForEvent<SandboxMessageLine>(sandbox, "message");
    const sha256 = createHash("sha256").update("Subject: x\r\n").digest("hex");
    assert.deepEqual(message, {
      event: "message",
      account: account.email,
      reversePath: account.email,
      forwardPaths: ["b@example.net"],
      octets: 12,
      sha256,
      replyText: reply.slice("250 2.6.0 ".length),
      file: join(directory, "messages", "0001.eml"),
      tokenRequestCount: 1,
    });
    assert.equal(await Deno.readTextFile(message.file), "Subject: x\r\n");

    sandbox.signal("SIGTERM");
    assert.deepEqual(await sandbox.exited, { code: 0, signal: null });
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("the sandbox process refuses wrong usage with 64", async () => {
  await using sandbox = spawnSandbox(["--smtp-port", "65536"]);
  assert.equal((await sandbox.exited).code, 64);
  assert.match(sandbox.lines.stderr.join("\n"), /--smtp-port/);
});
