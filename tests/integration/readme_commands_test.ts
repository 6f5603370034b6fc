/**
 * The commands in README.md and deploy/README.md, run as they stand there.
 *
 * A block `sh` is run in the checkout, one below the heading "systemd" as root of a machine that has just been booted.
 * A block `sh example` has placeholders, so its commands and options are looked up in their help instead. Blocks below
 * the headings "Windows" and "launchd", and those in PowerShell, are for other systems.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { targets } from "../../deploy/compile.ts";
import { DebianMachine, whyNoDebianMachine } from "../support/debian_machine.ts";
import { writeStandIn } from "../support/stand_in_program.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const otherSystems = ["Windows", "launchd"];

interface Block {
  readonly file: string;
  readonly heading: string;
  /** First word behind the fence, then the rest. */
  readonly language: string;
  readonly mark: string;
  readonly text: string;
}

async function blocksOf(file: string): Promise<Block[]> {
  const markdown = await Deno.readTextFile(join(repository, file));
  const pattern = /^#+ (?<heading>.+)$|^```(?<language>\w+)(?: (?<mark>\w+))?\n(?<text>[^]*?)^```$/gm;
  let heading = "";
  const blocks: Block[] = [];
  for (const { groups } of markdown.matchAll(pattern)) {
    if (groups!.heading !== undefined) heading = groups!.heading;
    else {
      blocks.push({
        file,
        heading,
        language: groups!.language!,
        mark: groups!.mark ?? "",
        text: groups!.text!,
      });
    }
  }
  return blocks;
}

const blocks = (await Promise.all(["README.md", "deploy/README.md"].map(blocksOf))).flat()
  .filter(({ language, heading }) => language === "sh" && !otherSystems.includes(heading));

/** Commands of a block: continued lines joined, without comments. */
function commandsOf({ text }: Block): string[] {
  return text.replace(/\\\n\s*/g, "").split("\n").filter((line) =>
    line.trim() !== "" && !line.startsWith("#")
  );
}

function title(command: string, { file }: Block): string {
  return `${file}: ${command.length > 60 ? `${command.slice(0, 60)}…` : command}`;
}

/** A folder for PATH in which the programs that the pages name are those of this checkout. */
async function stageNames(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "xoauth2-proxy-readme-" });
  const script = (text: string) => `#!/bin/sh\n${text}\n`;
  const names = {
    npx: script(`[ "$1 $2" = "-y deno@${Deno.version.deno}" ] || exit 64\nshift 2\nexec deno "$@"`),
    deno: script(`exec "${Deno.execPath()}" "$@"`),
    "xoauth2-proxy": script(
      `exec "${Deno.execPath()}" run --config "${repository}deno.json" -P=daemon "${repository}src/main.ts" "$@"`,
    ),
  };
  for (const [name, text] of Object.entries(names)) {
    await Deno.writeTextFile(join(path, name), text, { mode: 0o755 });
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function run(command: string): Promise<string> {
  await using names = await stageNames();
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    cwd: repository,
    env: { PATH: `${names.path}:${Deno.env.get("PATH")}`, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, `${command}:\n${output}`);
  return output;
}

/** All tests would run this one again. */
function shortened(command: string): string {
  return command.endsWith(" task test") ? `${command} tests/unit/sasl` : command;
}

const helps = new Map<string, Promise<string>>();

/** Looks a command up: its name is the words before the first option or value. */
async function assertKnown(command: string): Promise<void> {
  const words = command.replace(/^deno task start/, "xoauth2-proxy start").split(/\s+/);
  if (words[0] !== "xoauth2-proxy") return;
  const end = words.findIndex((word, index) => index > 0 && !/^[a-z][a-z-]*$/.test(word));
  const name = words.slice(0, end < 0 ? undefined : end).join(" ");
  if (!helps.has(name)) helps.set(name, run(`${name} --help`));
  const help = await helps.get(name)!;
  assert.ok(help.includes(`Usage: ${name}`), `${name} is no command:\n${help}`);
  for (const [option] of command.matchAll(/(?<= )--[a-z-]+/g)) {
    assert.match(help, new RegExp(`(^|[ ,])${option}\\b`, "m"), `${name} has no option ${option}`);
  }
}

Deno.test("deploy/README.md: what PowerShell is given exists", async () => {
  const released = ["xoauth2-proxy-windows-x64.exe", "SHA256SUMS"];
  assert.ok(targets.has("windows-x64"));
  const lines = (await blocksOf("deploy/README.md")).filter(({ language }) => language === "powershell")
    .flatMap(commandsOf);
  assert.ok(lines.length > 0);
  for (const line of lines) {
    const [path = "", ...words] = line.split(/\s+/);
    const script = await Deno.readTextFile(join(repository, path.replaceAll("\\", "/")));
    for (const word of words) {
      if (word.startsWith("-")) assert.match(script, new RegExp(`\\]\\$${word.slice(1)}\\b`), line);
      if (word.startsWith(".\\")) assert.ok(released.includes(word.slice(2)), `${word} is not in a release`);
    }
  }
});

Deno.test("update.ps1 reads the checksum lines of a release", async () => {
  const script = await Deno.readTextFile(join(repository, "deploy/windows/update.ps1"));
  const pattern = /-match '(?<pattern>[^']+)'/.exec(script)?.groups?.pattern ?? "";
  const sum = `${"0123456789abcdef".repeat(4)}  xoauth2-proxy-windows-x64.exe`;
  assert.equal(new RegExp(pattern).exec(sum)?.groups?.name, "xoauth2-proxy-windows-x64.exe");
});

Deno.test("The pages have commands to run and examples to look up", () => {
  assert.ok(blocks.some(({ mark }) => mark === "") && blocks.some(({ mark }) => mark === "example"));
  const unknown = blocks.filter(({ mark }) => mark !== "" && mark !== "example");
  assert.deepEqual(unknown, [], "marks that nobody knows");
});

const noShell = Deno.build.os === "windows" ? " (skipped: no sh)" : "";

for (const block of blocks.filter(({ heading, mark }) => heading !== "systemd" || mark === "example")) {
  for (const command of commandsOf(block)) {
    const name = `${title(command, block)}${block.mark === "example" ? " is known" : " works"}${noShell}`;
    const fn = async () => {
      if (block.mark === "example") await assertKnown(command);
      else await run(shortened(command));
    };
    Deno.test({ name, ignore: noShell !== "", fn });
  }
}

/** Where the stand-in for the compiled program finds Deno; /root and /home are hidden from services. */
const denoInside = "/usr/lib/xoauth2-test/deno";

/** A folder with what the page takes for granted: the program, and deploy/. */
async function unpackRelease(folder: string): Promise<void> {
  await writeStandIn(folder, denoInside);
  await Deno.symlink(join(repository, "deploy"), join(folder, "deploy"));
}

const noMachine = whyNoDebianMachine();
const inMachine = blocks.filter(({ heading, mark }) => heading === "systemd" && mark === "");

Deno.test({
  name: `deploy/README.md: the commands for systemd work${
    noMachine === undefined ? "" : ` (skipped: ${noMachine})`
  }`,
  ignore: noMachine !== undefined,
  fn: async () => {
    assert.ok(inMachine.length > 0);
    const folder = await Deno.makeTempDir({ prefix: "xoauth2-proxy-readme-" });
    try {
      await unpackRelease(folder);
      await using machine = await DebianMachine.boot();
      await machine.bind(Deno.execPath(), denoInside);
      const ports = "[Service]\nEnvironment=XOAUTH2_PORT=0 XOAUTH2_ADMIN_PORT=0\n";
      await machine.write("/run/systemd/system/xoauth2-proxy.service.d/test.conf", ports);
      for (const command of inMachine.flatMap(commandsOf)) {
        await machine.succeed("sh", "-c", `cd ${folder} && ${command}`);
      }
      assert.equal(await machine.succeed("systemctl", "is-active", "xoauth2-proxy"), "active");
      const account = JSON.stringify([{ email: "a@example.com", provider: "gmail", client_id: "app" }]);
      const adding =
        "xoauth2-proxy account import - --no-verify --accounts /var/lib/xoauth2-proxy/accounts.json";
      await machine.succeed("sh", "-c", `echo '${account}' | ${adding}`);
      const folderOwner = await machine.succeed("stat", "-L", "-c", "%u", "/var/lib/xoauth2-proxy");
      for (const name of ["accounts.json", "accounts.json.lock"]) {
        const file = `/var/lib/xoauth2-proxy/${name}`;
        assert.equal(await machine.succeed("stat", "-c", "%u %a", file), `${folderOwner} 600`);
      }
      assert.notEqual(folderOwner, "0");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
