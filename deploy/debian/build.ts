/**
 * Makes the Debian package around a program for Linux: `deno run -P=test deploy/debian/build.ts PROGRAM [--output FOLDER]
 * [--architecture amd64|arm64] [--version VERSION]`. The maintainer is taken from DEBFULLNAME and DEBEMAIL, the time of
 * every file from SOURCE_DATE_EPOCH. Needs dpkg-deb; no root.
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import project from "../../deno.json" with { type: "json" };
import { bundledLicenses } from "./bundled_licenses.ts";

/** What a package is made of. */
export interface DebianPackageOptions {
  /** Path of the program that becomes /usr/bin/xoauth2-proxy. */
  readonly program: string;
  /** Folder for the package. */
  readonly output: string;
  /** Default: this machine's. */
  readonly architecture?: string;
  /** Default: that of deno.json. */
  readonly version?: string;
}

const here = fileURLToPath(new URL("./", import.meta.url));
const unit = fileURLToPath(new URL("../systemd/xoauth2-proxy.service", import.meta.url));
const architectures: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };
const documentation = "usr/share/doc/xoauth2-proxy";
const scripts = ["postinst", "prerm", "postrm"];
/** Files below /etc: dpkg keeps what an operator has changed in them. */
const conffiles = { "etc/xoauth2-proxy/config.json": "config.json", "etc/default/xoauth2-proxy": "default" };

/** Builds the package. @returns Its path. @throws {Error} With dpkg-deb's output. */
export async function buildDebianPackage(options: DebianPackageOptions): Promise<string> {
  const { version = project.version, architecture = architectures[Deno.build.arch]! } = options;
  const root = await Deno.makeTempDir({ prefix: "xoauth2-proxy-deb-" });
  try {
    await writeTree(root, { program: options.program, version });
    const octets = await openFolders(root);
    await writeControl(join(root, "DEBIAN"), { version, architecture, octets });
    await Deno.chmod(join(root, "DEBIAN"), 0o755);
    await Deno.mkdir(options.output, { recursive: true });
    const path = join(options.output, `xoauth2-proxy_${version}_${architecture}.deb`);
    const { success, stderr } = await new Deno.Command("dpkg-deb", {
      args: ["--root-owner-group", "--build", root, path],
      env: { SOURCE_DATE_EPOCH: String(releaseTimeSeconds()) },
    }).output();
    if (!success) throw new Error(`Cannot build ${path}: ${new TextDecoder().decode(stderr)}`);
    return path;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function writeTree(
  root: string,
  { program, version }: { readonly program: string; readonly version: string },
): Promise<void> {
  await put(join(root, "usr/bin/xoauth2-proxy"), await Deno.readFile(program), 0o755);
  const systemd = join(root, "lib/systemd/system");
  await put(join(systemd, "xoauth2-proxy.service"), await Deno.readFile(unit));
  await put(join(systemd, "xoauth2-proxy.service.d/user.conf"), await Deno.readFile(join(here, "user.conf")));
  for (const [path, name] of Object.entries(conffiles)) {
    await put(join(root, path), await Deno.readFile(join(here, name)));
  }
  const copyright = await Deno.readTextFile(join(here, "copyright"));
  await put(join(root, documentation, "copyright"), `${copyright}\n${await bundledLicenses()}`);
  const news = gzipSync(changelog(version), { level: 9 });
  await put(join(root, documentation, "changelog.gz"), news);
}

interface ControlValues {
  readonly version: string;
  readonly architecture: string;
  readonly octets: number;
}

async function writeControl(folder: string, { version, architecture, octets }: ControlValues): Promise<void> {
  const values: Readonly<Record<string, string>> = {
    VERSION: version,
    ARCHITECTURE: architecture,
    MAINTAINER: maintainer(),
    INSTALLED_SIZE: String(Math.ceil(octets / 1024)),
  };
  const template = await Deno.readTextFile(join(here, "control"));
  await put(join(folder, "control"), template.replace(/@(\w+)@/g, (_, name: string) => values[name]!));
  await put(join(folder, "conffiles"), Object.keys(conffiles).map((path) => `/${path}\n`).join(""));
  for (const name of scripts) await put(join(folder, name), await Deno.readFile(join(here, name)), 0o755);
}

function maintainer(): string {
  const name = Deno.env.get("DEBFULLNAME") ?? "xoauth2-proxy packagers";
  return `${name} <${Deno.env.get("DEBEMAIL") ?? "packagers@xoauth2-proxy.invalid"}>`;
}

function changelog(version: string): string {
  const date = new Date(releaseTimeSeconds() * 1000).toUTCString().replace("GMT", "+0000");
  return [
    `xoauth2-proxy (${version}) stable; urgency=medium`,
    "",
    `  * Version ${version}; what has changed is in the history of the source.`,
    "",
    ` -- ${maintainer()}  ${date}`,
    "",
  ].join("\n");
}

function releaseTimeSeconds(): number {
  return Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? Math.floor(Date.now() / 1000));
}

async function put(path: string, content: Uint8Array | string, mode = 0o644): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  await Deno.chmod(path, mode);
}

/** Opens every folder to be listed, whatever the umask. @returns the octets of all files. */
async function openFolders(folder: string): Promise<number> {
  await Deno.chmod(folder, 0o755);
  let octets = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    octets += isDirectory ? await openFolders(path) : (await Deno.stat(path)).size;
  }
  return octets;
}

async function main(): Promise<number> {
  const { values, positionals: [program, ...rest] } = parseArgs({
    options: {
      output: { type: "string", default: "dist" },
      architecture: { type: "string" },
      version: { type: "string" },
    },
    allowPositionals: true,
    args: Deno.args,
  });
  const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  if (program === undefined || rest.length > 0) {
    print("Usage: build.ts PROGRAM [--output FOLDER] [--architecture amd64|arm64] [--version VERSION]");
    return 64;
  }
  const { output, architecture, version } = values;
  print(
    await buildDebianPackage({
      program,
      output,
      ...(architecture !== undefined && { architecture }),
      ...(version !== undefined && { version }),
    }),
  );
  return 0;
}

if (import.meta.main) Deno.exitCode = await main();
