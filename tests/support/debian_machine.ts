/** This Debian, booted with its systemd in namespaces of their own: packages can be installed, and everything is gone afterwards. */

import { fileURLToPath } from "node:url";
import { ChildProcess } from "./child_process.ts";

const script = fileURLToPath(new URL("./systemd_namespace.sh", import.meta.url));

/** What a command inside has printed, and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

/** Why there can be no such machine here; undefined where there can. */
export function whyNoDebianMachine(): string | undefined {
  if (Deno.build.os !== "linux") return "not Linux";
  for (const program of ["dpkg", "dpkg-deb", "deb-systemd-helper", "nsenter", "adduser"]) {
    const found = new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" })
      .outputSync();
    if (!found.success) return `${program} is not installed`;
  }
  const { code, stderr } = new Deno.Command(script, { args: ["true"] }).outputSync();
  return code === 0 ? undefined : new TextDecoder().decode(stderr).trim();
}

/** A booted machine. Its network is the host's. Dispose it to take it down. */
export class DebianMachine implements AsyncDisposable {
  readonly #holder: ChildProcess;
  readonly #entry: readonly string[];

  private constructor(holder: ChildProcess, init: string) {
    this.#holder = holder;
    this.#entry = ["--target", init, "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--"];
  }

  /** Boots. */
  static async boot(): Promise<DebianMachine> {
    const holder = ChildProcess.spawn({ command: [script] });
    const what = "The inner systemd's process id";
    const machine = new DebianMachine(holder, await holder.waitForLine(({ stdout }) => stdout[0], { what }));
    // Containers forbid packages to start services; this machine is none.
    await machine.run("rm", "-f", "/usr/sbin/policy-rc.d");
    return machine;
  }

  /** Runs a command inside, to its end. */
  async run(command: string, ...args: string[]): Promise<CommandResult> {
    const inner = new Deno.Command("nsenter", {
      args: [...this.#entry, command, ...args],
      env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    });
    const { code, stdout, stderr } = await inner.output();
    const output = [stdout, stderr].map((octets) => new TextDecoder().decode(octets)).join("").trim();
    return { code, output };
  }

  /** Runs a command that has to succeed. @returns What it printed. @throws {Error} With what it printed. */
  async succeed(command: string, ...args: string[]): Promise<string> {
    const { code, output } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  }

  /** Writes a file inside, and the folders that it needs. */
  async write(path: string, text: string): Promise<void> {
    await this.succeed("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"', "sh", path, text);
  }

  /** Shows a file or folder of the host at another place inside. */
  async bind(from: string, to: string): Promise<void> {
    await this.write(to, "");
    await this.succeed("mount", "--bind", from, to);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.signal("SIGTERM");
    await this.#holder.exited;
  }
}
