/** Stands in for the compiled program, whose runtime can't be had everywhere: the same bundle, run by the Deno that is here. */

import { join } from "node:path";
import project from "../../deno.json" with { type: "json" };
import { bundleProgram } from "../../deploy/compile.ts";

/** What a binary is compiled with: the daemon's permissions, and no way to load anything else. */
export function bundleFlags(): string[] {
  const permissions = Object.entries(project.permissions.daemon).map(([name, value]) => {
    // Short, because the kernel reads 255 octets of an interpreter's line.
    const flag = `-${name[0]!.toUpperCase()}`;
    return Array.isArray(value) ? `${flag}=${value.join(",")}` : flag;
  });
  const unstable = project.unstable.map((name) => `--unstable-${name}`);
  return [
    "--no-config",
    "--no-remote",
    "--no-npm",
    "--no-prompt",
    "--deny-import",
    ...unstable,
    ...permissions,
  ];
}

/**
 * Writes a program in one file, as the compiled one is.
 *
 * @param deno Where it finds Deno.
 * @returns Its path.
 */
export async function writeStandIn(folder: string, deno: string): Promise<string> {
  const bundle = await Deno.readTextFile(await bundleProgram(folder));
  const path = join(folder, "xoauth2-proxy");
  const interpreter = ["/usr/bin/env", "-S", deno, "run", ...bundleFlags(), "--ext=js"].join(" ");
  if (interpreter.length > 250) throw new RangeError(`The kernel cuts this line off: ${interpreter}`);
  await Deno.writeTextFile(path, `#!${interpreter}\n${bundle}`, { mode: 0o755 });
  return path;
}
