/** A real systemd in namespaces of its own, with the shipped unit installed. */

import { fileURLToPath } from "node:url";
import { ChildProcess } from "../support/child_process.ts";

const script = fileURLToPath(new URL("../support/systemd_namespace.sh", import.meta.url));
const repository = fileURLToPath(new URL("../../", import.meta.url));

/** Path of the unit that is shipped. */
export const shippedUnit = fileURLToPath(
  new URL("../../deploy/systemd/xoauth2-proxy.service", import.meta.url),
);

/** Folder with the unit's drop-ins of a test. */
export const dropInDirectory = "/run/systemd/system/xoauth2-proxy.service.d";

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
  readonly #holder: ChildProcess;
  readonly #entry: readonly string[];
  /** The unit's journal as it grows. */
  readonly #journal: ChildProcess;

  private constructor(holder: ChildProcess, init: string) {
    this.#holder = holder;
    this.#entry = ["--target", init, "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--"];
    const follow = ["journalctl", "--follow", "--lines=all", "--output=cat", "--unit=xoauth2-proxy"];
    this.#journal = ChildProcess.spawn({ command: ["nsenter", ...this.#entry, ...follow] });
  }

  /**
   * Boots systemd and installs the unit.
   *
   * @param args What `deno` runs in place of the installed program.
   * @param settings Further lines of the unit's [Service] section.
   */
  static async boot(args: readonly string[], settings: readonly string[] = []): Promise<SystemdNamespace> {
    const holder = ChildProcess.spawn({ command: [script] });
    const init = await holder.waitForLine(({ stdout }) => stdout[0], {
      what: "The inner systemd's process id",
    });
    const namespace = new SystemdNamespace(holder, init);
    await namespace.write("/run/systemd/system/xoauth2-proxy.service", await Deno.readTextFile(shippedUnit));
    await namespace.write(`${dropInDirectory}/test.conf`, await dropIn(args, settings));
    await namespace.run("systemctl", "daemon-reload");
    return namespace;
  }

  /** Runs a command inside, to its end. */
  async run(command: string, ...args: string[]): Promise<CommandResult> {
    const inner = new Deno.Command("nsenter", { args: [...this.#entry, command, ...args] });
    const { code, stdout, stderr } = await inner.output();
    return {
      code,
      output: [stdout, stderr].map((octets) => new TextDecoder().decode(octets)).join("").trim(),
    };
  }

  /** `systemctl show` of one property of the unit. */
  async property(name: string): Promise<string> {
    return (await this.run("systemctl", "show", "--value", "--property", name, "xoauth2-proxy")).output;
  }

  /** Resolves when a line of the unit's journal matches, for the `count`th time. Default 1. */
  async journal(pattern: RegExp, count = 1): Promise<string> {
    const find = ({ stdout }: ChildProcess["lines"]) =>
      stdout.filter((line) => pattern.test(line))[count - 1];
    return await this.#journal.waitForLine(find, { what: String(pattern) });
  }

  /** Writes a file inside, and the folders that it needs. */
  async write(path: string, text: string): Promise<void> {
    await this.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"', "sh", path, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // This ends what follows the journal too; nsenter alone would leave it behind, with the output still open.
    this.#holder.signal("SIGTERM");
    await this.#holder.exited;
    await this.#journal[Symbol.asyncDispose]();
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
