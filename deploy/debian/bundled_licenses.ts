/** The licences of the npm packages that are part of the program, as its package has to show them. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const licenseFile = /^(licen[cs]e|copying)(\.\w+|-\w+)*$/i;

interface Graph {
  readonly npmPackages: Readonly<Record<string, { readonly name: string; readonly version: string }>>;
}

/**
 * Reads the licences from Deno's cache of npm packages.
 *
 * @returns One section a package: name, version, the licence's identifier and its text.
 * @throws {Deno.errors.NotFound} If a package isn't in the cache.
 */
export async function bundledLicenses(): Promise<string> {
  const { denoDir } = await denoInfo<{ denoDir: string }>();
  const { npmPackages } = await denoInfo<Graph>("src/main.ts");
  const packages = Object.values(npmPackages).sort((a, b) => a.name < b.name ? -1 : 1);
  const sections = packages.map(async ({ name, version }) => {
    const folder = join(cache, name, version);
    const { license = "not stated" } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
    return `${"-".repeat(78)}\n${name} ${version}: ${license}\n\n${await licenseText(folder)}`;
  });
  return (await Promise.all(sections)).join("\n");
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
