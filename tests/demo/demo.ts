/**
 * One real message, end to end: `deno task demo`.
 *
 * Starts the sandbox provider and the proxy as a user would, as processes of their own, and sends a message through
 * both with nodemailer. Exits 0 only if everything that it prints as a claim held.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SandboxMessageLine, SandboxReadyLine } from "../../src/sandbox/main.ts";
import { ChildProcess } from "../support/child_process.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { DemoReport } from "./demo_report.ts";
import { composeMessage, sendMessage } from "./send_message.ts";

/** The whole demo may take so long. */
const DEADLINE_MS = 15_000;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Runs the demo. @returns The exit code. */
export async function runDemo(report: DemoReport): Promise<number> {
  const children = new Set<Pick<ChildProcess, "signal">>();
  using _limits = endEarly(report, children);
  try {
    await using stack = new AsyncDisposableStack();
    const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-demo-" });
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const sandbox = stack.use(spawnSandbox(directory));
    children.add(sandbox);
    const provider = await waitForEvent<SandboxReadyLine>(sandbox, "ready");
    report.tell("Provider", [
      `the embedded sandbox, pid ${sandbox.pid}: XOAUTH2 only, STARTTLS, certificates made just now`,
      `SMTP ${provider.smtp.hostname}:${provider.smtp.port}, tokens ${provider.tokenUrl}`,
    ]);
    const startedMs = performance.now();
    const proxy = stack.use(
      await DaemonProcess.start({
        config: provider.configFile,
        accounts: provider.accountsFile,
        onSpawn: (process) => children.add(process),
      }),
    );
    const { hostname, port } = proxy.listener;
    report.tell("Proxy", [
      `pid ${proxy.pid}, ready after ${Math.round(performance.now() - startedMs)} ms`,
      `SMTP ${hostname}:${port}, admin ${proxy.adminUrl}`,
    ]);
    await relayOneMessage({ report, proxy, sandbox, provider });
    await stopProxy(report, proxy);
  } catch (error) {
    report.fail(error instanceof Error ? error.message : String(error));
  }
  return report.conclude();
}

interface Cast {
  readonly report: DemoReport;
  readonly proxy: DaemonProcess;
  readonly sandbox: ChildProcess;
  readonly provider: SandboxReadyLine;
}

async function relayOneMessage({ report, proxy, sandbox, provider }: Cast): Promise<void> {
  const { email, password } = provider.account;
  const message = await composeMessage(email);
  const sent = await sendMessage({ endpoint: proxy.listener, user: email, password, message });
  report.tell("Client dialogue (nodemailer, AUTH PLAIN)", sent.dialogue);
  const arrived = await waitForEvent<SandboxMessageLine>(sandbox, "message");

  report.tell("Proxy's log", proxy.log.map((event) => `${event.level.padEnd(7)} ${event.message}`));
  report.check("The proxy fetched an access token", arrived.tokenRequestCount > 0, [
    `${arrived.tokenRequestCount} request to the token endpoint, for ${email}`,
  ]);
  report.check("The proxy signed in upstream", arrived.account === email, [
    `as ${arrived.account}, by XOAUTH2 inside verified TLS: the sandbox takes nothing else`,
  ]);
  report.check("The client read the provider's own reply", sent.reply.endsWith(arrived.replyText), [
    `provider said  ${arrived.replyText}`,
    `client read    ${sent.reply}`,
  ]);
  const received = await Deno.readFile(arrived.file);
  report.check("The message arrived byte for byte", Buffer.from(received).equals(message.octets), [
    `sent     ${message.octets.length} octets, sha256 ${digest(message.octets)}`,
    `arrived  ${received.length} octets, sha256 ${digest(received)}`,
  ]);
}

async function stopProxy(report: DemoReport, proxy: DaemonProcess): Promise<void> {
  const startedMs = performance.now();
  const { code, signal } = await proxy.stop();
  const took = Math.round(performance.now() - startedMs);
  report.check("SIGTERM ended the proxy cleanly", code === 0 && signal === null, [
    `exit code ${code} after ${took} ms`,
  ]);
}

/** Kills the children at the deadline and on Ctrl+C: whatever waits for them fails, and the demo cleans up. */
function endEarly(report: DemoReport, children: ReadonlySet<Pick<ChildProcess, "signal">>): Disposable {
  const end = (why: string) => {
    report.fail(why);
    for (const child of children) child.signal("SIGKILL");
  };
  const timer = setTimeout(() => end(`The demo took longer than ${DEADLINE_MS / 1000} s`), DEADLINE_MS);
  const onSignal = () => end("The demo was interrupted");
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
    },
  };
}

function spawnSandbox(directory: string): ChildProcess {
  const main = join(ROOT, "src", "sandbox", "main.ts");
  const command = [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "-P=daemon",
    main,
    "--directory",
    directory,
  ] as const;
  return ChildProcess.spawn({ command, cwd: ROOT });
}

function waitForEvent<T extends { event: string }>(sandbox: ChildProcess, event: T["event"]): Promise<T> {
  const find = ({ stdout }: ChildProcess["lines"]) =>
    stdout.map((line) => JSON.parse(line) as T).find((line) => line.event === event);
  return sandbox.waitForLine(find, { what: `The sandbox's ${event} line` });
}

function digest(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}

if (import.meta.main) Deno.exitCode = await runDemo(new DemoReport(Deno.stdout));
