/** The examples of deploy/, each run with the program that it is for, with only addresses, ports and passwords replaced. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { startSettings } from "../../src/config/start_setting.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { type DaemonFixture, MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";
import { DebianMachine, whyNoDebianMachine } from "../support/debian_machine.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";

const deploy = new URL("../../deploy/", import.meta.url);
const recipient = "someone@example.net";

function isInstalled(program: string): boolean {
  if (Deno.build.os === "windows") return false;
  return new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync()
    .success;
}

function test(name: string, reason: string | undefined, fn: () => Promise<void>): void {
  const label = reason === undefined ? name : `${name} (skipped: ${reason})`;
  Deno.test({ name: label, ignore: reason !== undefined, fn });
}

function without(program: string): string | undefined {
  return isInstalled(program) ? undefined : `no ${program}`;
}

/** An example with a test's own values in place of those to be replaced. */
async function example(path: string, port: number): Promise<string> {
  const text = await Deno.readTextFile(new URL(path, deploy));
  return text.replaceAll("2525", String(port)).replaceAll("PASSWORD", MAILBOX.password);
}

async function run(command: readonly string[], input = ""): Promise<string> {
  const [program, ...args] = command;
  const child = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, `${command.join(" ")}:\n${output}`);
  return output;
}

function message(subject: string): string {
  return `From: ${MAILBOX.email}\nTo: ${recipient}\nSubject: ${subject}\n\nHello\n`;
}

function assertRelayed({ upstream }: DaemonFixture, subject: string): void {
  assert.equal(upstream.messages.length, 1);
  const [{ connection, mailData, forwardPaths }] = upstream.messages as [(typeof upstream.messages)[0]];
  assert.equal(connection.mailbox, MAILBOX.email);
  assert.deepEqual(forwardPaths, [recipient]);
  assert.match(new TextDecoder().decode(mailData), new RegExp(`^Subject: ${subject}\r$`, "m"));
}

test("msmtp sends through the proxy with deploy/examples/msmtprc", without("msmtp"), async () => {
  await using fixture = await startDaemonFixture();
  const file = join(fixture.daemon.directory, "msmtprc");
  await Deno.writeTextFile(file, await example("examples/msmtprc", fixture.listener().port), { mode: 0o600 });
  await run(["msmtp", `--file=${file}`, recipient], message("from msmtp"));
  assertRelayed(fixture, "from msmtp");
});

const noPostfix = without("postfix") ?? whyNoDebianMachine();

test("Postfix relays through the proxy with deploy/examples/postfix", noPostfix, async () => {
  await using fixture = await startDaemonFixture();
  await using machine = await DebianMachine.boot();
  const { port } = fixture.listener();
  const base = await machine.succeed("cat", "/usr/share/postfix/main.cf.debian");
  const own =
    "myhostname = client.example\nmaillog_file = /var/log/postfix.log\nmaillog_file_prefixes = /var";
  await machine.write(
    "/etc/postfix/main.cf",
    `${base}\n${own}\n${await example("examples/postfix/main.cf", port)}`,
  );
  await machine.write("/etc/postfix/sasl_passwd", await example("examples/postfix/sasl_passwd", port));
  // Nothing listens: the message comes from this machine.
  await machine.succeed("sed", "-i", "-E", "s/^(smtp +inet)/#\\1/", "/etc/postfix/master.cf");
  await machine.succeed("sh", "-c", "chmod 600 /etc/postfix/sasl_passwd && postmap /etc/postfix/sasl_passwd");
  await machine.succeed("newaliases");
  await machine.succeed("postfix", "start");
  try {
    const send = `printf %s "$1" | sendmail -f ${MAILBOX.email} ${recipient}`;
    await machine.succeed("sh", "-c", send, "sh", message("from Postfix"));
    await fixture.daemon.waitForLog(
      ({ message: text, properties }) => /relayed/i.test(`${text} ${properties.outcome}`),
      "The relayed message",
    );
    assertRelayed(fixture, "from Postfix");
  } finally {
    await machine.run("postfix", "stop");
  }
});

Deno.test("A device without AUTH sends through the listener of deploy/examples/scanner.json", async () => {
  const { listeners } = JSON.parse(await Deno.readTextFile(new URL("examples/scanner.json", deploy)));
  const [, device] = listeners;
  assert.deepEqual(device.allowed_clients, ["192.168.10.0/24"]);
  const here = { ...device, host: "127.0.0.1", port: 0, allowed_clients: ["127.0.0.1/32"] };
  await using fixture = await startDaemonFixture({ listeners: [{}, here] });
  using client = await SmtpTestClient.connect({ port: fixture.listener(1).port });
  await client.expect("220 *");
  await client.command("HELO scanner", "250 *");
  const data = "Subject: a scan\r\n\r\nHello";
  assert.match(await client.send({ from: MAILBOX.email, to: [recipient], data }), /^250 /);
  assertRelayed(fixture, "a scan");
});

Deno.test("The configurations in deploy load without a warning", async () => {
  for (const name of ["examples/scanner.json", "debian/config.json"]) {
    const config = new URL(name, deploy).pathname;
    const { warnings } = await loadSettings({ options: { config, accounts: "/none.json" }, env: {} });
    assert.deepEqual(warnings, [], name);
  }
});

test(
  "promtool takes the scrape configuration and the alert rules, and they fire",
  without("promtool"),
  async () => {
    const path = (name: string) => new URL(`prometheus/${name}`, deploy).pathname;
    assert.match(await run(["promtool", "check", "config", path("prometheus.yml")]), /SUCCESS/);
    assert.match(await run(["promtool", "check", "rules", path("alerts.yml")]), /SUCCESS: 10 rules found/);
    assert.match(await run(["promtool", "test", "rules", path("alerts_test.yml")]), /SUCCESS/);
  },
);

/** Names that a scrape has, and those that Prometheus adds to a histogram. */
async function metricNames(): Promise<Set<string>> {
  using metrics = new Metrics({ version: "1" });
  const families = [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  const names = families.flatMap(([, name, type]) =>
    type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name! + suffix) : [name!]
  );
  return new Set([...names, "up"]);
}

Deno.test("Every metric in the alert rules and the dashboard is one that the daemon has", async () => {
  const known = await metricNames();
  const rules = await Deno.readTextFile(new URL("prometheus/alerts.yml", deploy));
  const dashboard = JSON.parse(await Deno.readTextFile(new URL("prometheus/grafana_dashboard.json", deploy)));
  const queries: string[] = dashboard.panels.flatMap((panel: { targets: { expr: string }[] }) =>
    panel.targets.map(({ expr }) => expr)
  );
  assert.ok(queries.length > 20);
  for (const text of [...queries, rules]) {
    const used = text.match(/\b(?:xoauth2_proxy|process)_\w+/g) ?? [];
    assert.ok(used.length > 0, text);
    assert.deepEqual(used.filter((name) => !known.has(name)), [], text);
  }
});

/** Instructions of a container file, continued lines joined. */
function instructions(text: string): [name: string, argument: string][] {
  const joined = text.replace(/^#.*\n/gm, "").replace(/\\\n\s*/g, "");
  return joined.split("\n").filter(Boolean).map((line) => {
    const [, name, argument] = /^([A-Z]+) (.+)$/.exec(line) ?? assert.fail(`no instruction: ${line}`);
    return [name!, argument!];
  });
}

async function containerFile(): Promise<Map<string, string>> {
  return new Map(instructions(await Deno.readTextFile(new URL("container/Containerfile", deploy))));
}

Deno.test("The container file runs as nobody, stops by SIGTERM and sets only variables that there are", async () => {
  const file = await containerFile();
  assert.equal([...file.keys()][0], "FROM");
  assert.equal(file.get("USER"), "65534:65534");
  assert.equal(file.get("STOPSIGNAL"), "SIGTERM");
  const start = [...JSON.parse(file.get("ENTRYPOINT")!), ...JSON.parse(file.get("CMD")!)];
  assert.deepEqual(start, ["/usr/bin/xoauth2-proxy", "start"]);
  const known = startSettings.map(({ variable }) => variable);
  const names = [...file.get("ENV")!.matchAll(/(\w+)=/g)].map(([, name]) => name!);
  assert.deepEqual(names.filter((name) => name.startsWith("XOAUTH2_") && !known.includes(name)), []);
});

test("The container's health check sees a ready daemon, and none", without("bash"), async () => {
  const [, command] = /CMD (\[.+\])$/.exec((await containerFile()).get("HEALTHCHECK")!)!;
  const [program, ...args] = JSON.parse(command!) as [string, ...string[]];
  await using fixture = await startDaemonFixture();
  const env = { XOAUTH2_ADMIN_PORT: String(fixture.daemon.ready.admin.port) };
  const check = async () => (await new Deno.Command(program, { args, env, stderr: "null" }).output()).code;
  assert.equal(await check(), 0);
  await fixture.daemon.stop();
  assert.equal(await check(), 1);
});
