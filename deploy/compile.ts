/**
 * Makes the release: the program and its libraries bundled into one file, and that file joined with Deno's runtime for
 * each platform. `deno task compile [-- --output FOLDER] [PLATFORM...]`; PLATFORM is a name such as `linux-x64`.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import project from "../deno.json" with { type: "json" };

/** Platforms of a release, and Deno's names of them. */
export const targets: ReadonlyMap<string, string> = new Map([
  ["linux-x64", "x86_64-unknown-linux-gnu"],
  ["linux-arm64", "aarch64-unknown-linux-gnu"],
  ["macos-x64", "x86_64-apple-darwin"],
  ["macos-arm64", "aarch64-apple-darwin"],
  ["windows-x64", "x86_64-pc-windows-msvc"],
]);

const repository = fileURLToPath(new URL("../", import.meta.url));
const bundleName = "xoauth2-proxy.js";

/** A release can't be made; the message is for the person who makes it. */
export class ReleaseError extends Error {}

/**
 * Bundles the program into `folder`, with a deno.json beside it that says what the program may do: all that a binary
 * is made of, and nothing of the source tree.
 *
 * @returns The path of the bundle.
 * @throws {ReleaseError} With Deno's output.
 */
export async function bundleProgram(folder: string): Promise<string> {
  const bundle = join(folder, bundleName);
  const { unstable, permissions: { daemon } } = project;
  await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ unstable, permissions: { daemon } }));
  await deno(repository, "bundle", "--quiet", "--platform=deno", `--output=${bundle}`, "src/main.ts");
  // Its time goes into the binaries: the same source is to give the same checksums.
  await Deno.utime(bundle, 0, 0);
  return bundle;
}

/** Joins the bundle in `folder` with the runtime. @returns The binary's name, in the same folder. */
async function compile(folder: string, platform: string): Promise<string> {
  const target = targets.get(platform);
  const name = `xoauth2-proxy-${platform}${platform.startsWith("windows") ? ".exe" : ""}`;
  const flags = ["--no-check", "--no-prompt", "-P=daemon", "--deny-import", "--no-code-cache"];
  const build = [
    "compile",
    "--quiet",
    "--config=deno.json",
    ...flags,
    ...v8Flags(),
    "--app-name=xoauth2-proxy",
  ];
  try {
    await deno(folder, ...build, `--target=${target}`, `--output=${name}`, bundleName);
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    throw new ReleaseError(`Cannot make ${name}: ${error.message}\n${remedy(target!)}`, { cause: error });
  }
  return name;
}

/** The flags that `deno task start` runs with, so that a binary and a checkout behave alike. */
function v8Flags(): string[] {
  return project.tasks.start.command.split(" ").filter((word) => word.startsWith("--v8-flags="));
}

function remedy(target: string): string {
  const archive = `denort-${target}.zip`;
  return [
    `Deno takes the runtime of each platform from https://dl.deno.land. Where that can't be reached, fetch ${archive}`,
    `of Deno ${Deno.version.deno} elsewhere and put it into the folder dl/release/v${Deno.version.deno}/ of $DENO_DIR`,
    "(see `deno info`), or, for one platform, let DENORT_BIN name the unpacked runtime.",
  ].join("\n");
}

async function deno(folder: string, ...args: string[]): Promise<void> {
  const env = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: folder,
    env,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new ReleaseError(withoutTrace(new TextDecoder().decode(stderr)));
}

/** Deno's words without its stack trace. */
function withoutTrace(text: string): string {
  return text.split(/\n+Stack backtrace:/)[0]!.replace(/^Warning .*\n/gm, "").trim();
}

/** A line as `sha256sum --check` reads it. */
async function checksum(folder: string, name: string): Promise<string> {
  const octets = await Deno.readFile(join(folder, name));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", octets));
  return `${digest.toHex()}  ${name}\n`;
}

/** Makes everything in a folder of its own first: `output` never holds half a release. */
async function release(output: string, platforms: readonly string[]): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "xoauth2-proxy-release-" });
  try {
    await bundleProgram(work);
    const names: string[] = [];
    for (const platform of platforms) names.push(await compile(work, platform));
    const sums = await Promise.all(names.map((name) => checksum(work, name)));
    await Deno.mkdir(output, { recursive: true });
    for (const name of names) {
      await Deno.copyFile(join(work, name), join(output, name));
      await Deno.chmod(join(output, name), 0o755);
    }
    await Deno.writeTextFile(join(output, "SHA256SUMS"), sums.join(""));
    say(Deno.stdout, `xoauth2-proxy ${project.version} in ${output}:\n${sums.join("")}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

function say(stream: { writeSync(octets: Uint8Array): number }, text: string): void {
  stream.writeSync(new TextEncoder().encode(text));
}

function misuseOf(platforms: readonly string[]): string | undefined {
  const unknown = platforms.find((platform) => !targets.has(platform));
  if (unknown !== undefined) {
    return `There is no platform "${unknown}"; it is one of ${[...targets.keys()].join(", ")}`;
  }
  // Deno would join it with every bundle, whatever the platform.
  if (platforms.length > 1 && Deno.env.get("DENORT_BIN")) {
    return `DENORT_BIN is the runtime of one platform: name that one, or unset it to make ${platforms.length}`;
  }
  return undefined;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: Deno.args.filter((arg) => arg !== "--"),
    options: { output: { type: "string", default: join(repository, "dist") } },
    allowPositionals: true,
  });
  const platforms = positionals.length > 0 ? positionals : [...targets.keys()];
  const misuse = misuseOf(platforms);
  if (misuse !== undefined) {
    say(Deno.stderr, `${misuse}\n`);
    return 64;
  }
  try {
    await release(values.output, platforms);
    return 0;
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    say(Deno.stderr, `${error.message}\n`);
    return 1;
  }
}

if (import.meta.main) Deno.exitCode = await main();
