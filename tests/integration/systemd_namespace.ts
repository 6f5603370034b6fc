/** A real systemd in namespaces of its own, with the shipped unit installed. */

import { LineProcess } from "./lifecycle_line_process.ts";

const script = new URL("../support/systemd_namespace.sh", import.meta.url).pathname;
const repository = new URL("../../", import.meta.url).pathname;
const shippedUnit = new URL("../../deploy/systemd/xoauth2-proxy.service", import.meta.url);

/** What a command inside has printed, and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

/** Why systemd can't be tried on this machine; undefined where it can. */
export function whySkipped(): string | undefined {
  if (Deno.build.os !== "linux") return "not Linux";
  const { code, stderr } = new Deno.Command(script, { args: ["true"] }).outputSync();
  return code === 0 ? undefined : new TextDecoder().decode(stderr).trim();
}

/** One booted systemd; gone with everything in it when disposed of. */
export class SystemdNamespace implements AsyncDisposable {
  readonly #holder: LineProcess;
  readonly #init: string;

  private constructor(holder: LineProcess, init: string) {
    this.#holder = holder;
    this.#init = init;
  }

  /** Boots systemd and installs the unit, its ExecStart= replaced by what `deno` is to run. */
  static async boot(args: readonly string[], settings: readonly string[] = []): Promise<SystemdNamespace> {
    const holder = new LineProcess(script, { args: [], patienceMs: 120_000, endSignal: "SIGTERM" });
    const [init] = await holder.line(/^\d+$/);
    const namespace = new SystemdNamespace(holder, init);
    await namespace.write("/run/systemd/system/xoauth2-proxy.service", await Deno.readTextFile(shippedUnit));
    await namespace.write(
      "/run/systemd/system/xoauth2-proxy.service.d/test.conf",
      await dropIn(args, settings),
    );
    await namespace.run("systemctl", "daemon-reload");
    return namespace;
  }

  /** Runs a command inside, to its end. */
  async run(command: string, ...args: string[]): Promise<CommandResult> {
    const process = new LineProcess("nsenter", {
      args: [...this.#entry, command, ...args],
      withErrors: true,
    });
    await using _process = process;
    return { code: await process.exitStatus(), output: process.transcript };
  }

  /** `systemctl show` of one property of the unit. */
  async property(name: string): Promise<string> {
    return (await this.run("systemctl", "show", "--value", "--property", name, "xoauth2-proxy")).output;
  }

  /** The unit's journal from its beginning, and on as it grows. */
  journal(): LineProcess {
    const args = ["journalctl", "--follow", "--lines=all", "--output=cat", "--unit=xoauth2-proxy"];
    // Without the process namespace nsenter has no child that would outlive it.
    const entry = this.#entry.filter((argument) => argument !== "--pid");
    return new LineProcess("nsenter", { args: [...entry, ...args], patienceMs: 60_000 });
  }

  /** Writes a file inside, and the folders that it needs. */
  async write(path: string, text: string): Promise<void> {
    await this.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"', "sh", path, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.endInput();
    await this.#holder.exitStatus();
    await this.#holder[Symbol.asyncDispose]();
  }

  get #entry(): string[] {
    return ["--target", this.#init, "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--"];
  }
}

/** The unit hides /home, /root and /tmp: Deno, its cache and the checkout are shown to it elsewhere. */
async function dropIn(args: readonly string[], settings: readonly string[]): Promise<string> {
  const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stderr: "null" }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout)) as { denoDir: string };
  const at = "/run/xoauth2-proxy-test";
  const quoted = args.map((arg) => `"${arg.replace(repository, `${at}/repository/`)}"`).join(" ");
  return [
    "[Service]",
    "ExecStart=",
    `ExecStart=${at}/deno ${quoted}`,
    `BindReadOnlyPaths=${Deno.execPath()}:${at}/deno ${denoDir}:${at}/cache ${repository}:${at}/repository`,
    `Environment=DENO_DIR=${at}/cache`,
    ...settings,
    "",
  ].join("\n");
}
