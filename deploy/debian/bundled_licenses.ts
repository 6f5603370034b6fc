/** The licences of the npm packages that are part of the program, as its package has to show them. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const commonLicenses = ["Apache-2.0"];
const licenseFile = /^(licen[cs]e|copying)(\.\w+|-\w+)*$/i;

interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** Keys of other packages. */
  readonly dependencies: readonly string[];
}

interface Graph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  /** Everything in the lock file, what only tests use included. */
  readonly npmPackages: Readonly<Record<string, NpmPackage>>;
}

/**
 * Reads the licences from Deno's cache of npm packages.
 *
 * @returns One section a package: name, version, the licence's identifier and its text.
 * @throws {Deno.errors.NotFound} If a package isn't in the cache.
 */
export async function bundledLicenses(): Promise<string> {
  const { denoDir } = await denoInfo<{ denoDir: string }>();
  const cache = await packageCache(join(denoDir, "npm"));
  const packages = reachablePackages(await denoInfo<Graph>("src/main.ts"));
  const sections = packages.map(async ({ name, version }) => {
    const folder = join(cache, name, version);
    const { license = "not stated" } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
    const text = commonLicenses.includes(license) ? inDebian(license) : await licenseText(folder);
    return `${"-".repeat(78)}\n${name} ${version}: ${license}\n\n${text}`;
  });
  return (await Promise.all(sections)).join("\n");
}

/** Deno keeps packages in a folder named after the registry that they came from. */
async function packageCache(npmCache: string): Promise<string> {
  for await (const { name, isDirectory } of Deno.readDir(npmCache)) {
    if (isDirectory && name.includes(".")) return join(npmCache, name);
  }
  throw new Deno.errors.NotFound(`Cannot find packages in "${npmCache}": cache them with deno check`);
}

/** The packages that the program imports, and theirs, by name. */
function reachablePackages({ modules, npmPackages }: Graph): NpmPackage[] {
  const reached = new Set(modules.flatMap(({ npmPackage }) => npmPackage === undefined ? [] : [npmPackage]));
  // What is added on the way is visited too.
  for (const key of reached) for (const other of npmPackages[key]!.dependencies) reached.add(other);
  const packages = [...reached].map((key) => npmPackages[key]!);
  return packages.filter(({ name }) => !name.startsWith("@types/")).sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Policy 12.5: a licence that every Debian system has is named, not repeated. */
function inDebian(license: string): string {
  return `On Debian systems its text is in /usr/share/common-licenses/${license}.\n`;
}

async function licenseText(folder: string): Promise<string> {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && licenseFile.test(name)) return await Deno.readTextFile(join(folder, name));
  }
  return "The package has no licence file; the identifier above is what it says of itself.\n";
}

async function denoInfo<Info>(...args: string[]): Promise<Info> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...args],
    cwd: repository,
    stderr: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)) as Info;
}
