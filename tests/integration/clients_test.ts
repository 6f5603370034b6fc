/** Mail programs that nobody here wrote, each sending one message through the real daemon. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { type DaemonFixture, MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";

const RECIPIENT = "recipient@example.net";
const MESSAGE = [
  "Date: Mon, 02 Feb 2026 10:00:00 +0000",
  "Message-ID: <1@example.com>",
  `From: ${MAILBOX.email}`,
  `To: ${RECIPIENT}`,
  "Subject: through the proxy",
  "",
  ".a dot",
  "..two dots",
  ".",
  "and Gr\u00fc\u00dfe",
  "",
].join("\r\n");

interface Place {
  /** Offers STARTTLS, and AUTH inside it. */
  readonly port: number;
  /** Offers AUTH in clear. */
  readonly clearPort: number;
  readonly caFile: string;
  readonly directory: string;
}

/** Arguments of a program that sends `MESSAGE` as the fixture's mailbox, over STARTTLS where `caFile` is to be trusted. */
type Program = (place: Place) => readonly [string, ...string[]];

const PROGRAMS: Readonly<Record<string, Program>> = {
  "swaks with PLAIN": ({ clearPort, directory }) => [
    "swaks",
    ...["--server", `127.0.0.1:${clearPort}`, "--auth", "PLAIN", "--auth-user", MAILBOX.email],
    ...["--auth-password", MAILBOX.password, "--from", MAILBOX.email, "--to", RECIPIENT],
    ...["--data", `@${join(directory, "message.eml")}`, "--pipeline"],
  ],
  "swaks with LOGIN": ({ clearPort, directory }) => [
    "swaks",
    ...["--server", `127.0.0.1:${clearPort}`, "--auth", "LOGIN", "--auth-user", MAILBOX.email],
    ...["--auth-password", MAILBOX.password, "--from", MAILBOX.email, "--to", RECIPIENT],
    ...["--data", `@${join(directory, "message.eml")}`],
  ],
  "curl": ({ port, caFile, directory }) => [
    "curl",
    ...["--silent", "--show-error", "--ssl-reqd", "--cacert", caFile, "--url", `smtp://localhost:${port}`],
    ...["--user", `${MAILBOX.email}:${MAILBOX.password}`, "--mail-from", MAILBOX.email],
    ...["--mail-rcpt", RECIPIENT, "--upload-file", join(directory, "message.eml")],
  ],
  "msmtp": ({ port, caFile, directory }) => [
    "sh",
    "-c",
    [
      `msmtp --file=/dev/null --host=localhost --port=${port} --tls=on --tls-starttls=on --tls-trust-file=${caFile}`,
      `--auth=plain --user=${MAILBOX.email} --passwordeval='echo ${MAILBOX.password}' --from=${MAILBOX.email}`,
      `${RECIPIENT} < ${join(directory, "message.eml")}`,
    ].join(" "),
  ],
  "Python's smtplib": ({ port, caFile, directory }) => [
    "python3",
    "-c",
    [
      "import smtplib, ssl, sys",
      `context = ssl.create_default_context(cafile=${JSON.stringify(caFile)})`,
      `with smtplib.SMTP("localhost", ${port}) as client:`,
      "    client.starttls(context=context)",
      `    client.login(${JSON.stringify(MAILBOX.email)}, ${JSON.stringify(MAILBOX.password)})`,
      `    body = open(${JSON.stringify(join(directory, "message.eml"))}, "rb").read()`,
      `    client.sendmail(${JSON.stringify(MAILBOX.email)}, [${JSON.stringify(RECIPIENT)}], body)`,
    ].join("\n"),
  ],
};

async function isInstalled(program: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v "$0"`, program],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** swaks and others end a message in a line end of their own, or drop the last one; its lines are what counts. */
function lines(octets: Uint8Array): string[] {
  return new TextDecoder().decode(octets).replace(/(\r\n)+$/, "").split("\r\n");
}

function assertArrived({ upstream }: DaemonFixture): void {
  assert.equal(upstream.messages.length, 1);
  const [message] = upstream.messages;
  assert.equal(message!.connection.mailbox, MAILBOX.email);
  assert.equal(message!.reversePath, MAILBOX.email);
  assert.deepEqual(message!.forwardPaths, [RECIPIENT]);
  assert.deepEqual(lines(message!.mailData), lines(new TextEncoder().encode(MESSAGE)));
}

for (const [name, program] of Object.entries(PROGRAMS)) {
  const executable = name.startsWith("Python") ? "python3" : name.split(" ")[0]!;
  const installed = await isInstalled(executable);
  const label = `${name} sends a message through the daemon${
    installed ? "" : `: ${executable} is not installed`
  }`;
  Deno.test({ name: label, ignore: !installed }, async () => {
    await using fixture = await startDaemonFixture({ listeners: [{ security: "starttls" }, {}] });
    const { directory } = fixture.daemon;
    await Deno.writeTextFile(join(directory, "message.eml"), MESSAGE);
    const [port, clearPort] = [fixture.listener(0).port, fixture.listener(1).port];
    const [command, ...args] = program({ port, clearPort, caFile: fixture.caFile, directory });
    const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
    assert.ok(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    assertArrived(fixture);
  });
}

for (const security of ["none", "starttls", "tls"] as const) {
  Deno.test(`nodemailer sends messages through the daemon, listener with ${security}`, async () => {
    await using fixture = await startDaemonFixture({ listeners: [{ security }] });
    const transport = createTransport({
      host: "localhost",
      port: fixture.listener().port,
      secure: security === "tls",
      ignoreTLS: security === "none",
      requireTLS: security === "starttls",
      tls: { ca: fixture.upstream.caCertificate },
      auth: { user: MAILBOX.email, pass: MAILBOX.password },
    });
    const envelope = { from: MAILBOX.email, to: [RECIPIENT] };
    const { response } = await transport.sendMail({ envelope, raw: MESSAGE });
    transport.close();
    assert.equal(response, "250 2.0.0 OK 1-1", "the provider's own reply");
    assertArrived(fixture);
  });
}
