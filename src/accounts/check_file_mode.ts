import type { Finding } from "../config/config_error.ts";

/** Warns of a file with secrets that others than its owner may read or write. Windows has no such mode. */
export async function checkFileMode(file: string): Promise<Finding[]> {
  if (Deno.build.os === "windows") return [];
  const mode = await modeOf(file);
  if (mode === null || (mode & 0o077) === 0) return [];
  const permissions = (mode & 0o777).toString(8).padStart(4, "0");
  return [{
    file,
    path: "",
    message: `holds secrets, and its mode ${permissions} lets others than its owner at it`,
    hint: `chmod 0600 ${file}`,
  }];
}

async function modeOf(file: string): Promise<number | null> {
  try {
    return (await Deno.stat(file)).mode;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
