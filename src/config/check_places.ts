/** What keeps a daemon from using the files and addresses that settings name, found without changing any of them. */

import { once } from "node:events";
import { access, constants, lstat, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { ConfigError, type Finding } from "./config_error.ts";
import { readUtf8 } from "./read_utf8.ts";
import type { Settings } from "./settings.ts";

/** Finds a log file that can't be written. */
export async function checkLogFile({ log: { file } }: Settings): Promise<Finding[]> {
  if (file === undefined) return [];
  const fault = await faultOf(async () => {
    const isThere = await exists(file);
    if (isThere && (await stat(file)).isDirectory()) return "it is a folder";
    await access(isThere ? file : dirname(file), constants.W_OK);
    return undefined;
  });
  if (fault === undefined) return [];
  const hint = "make its folder and let the user that the daemon runs as write there, or change log.file";
  return [{ file, path: "", message: `can't be opened for the log: ${fault}`, hint }];
}

/** Finds a log file that can be written, but not put aside when it is full: the folder is another user's. */
export async function checkLogFolder({ log: { file } }: Settings): Promise<Finding[]> {
  if (file === undefined) return [];
  const fault = await faultOf(async () => {
    if (await exists(file) && (await stat(file)).isFile()) await access(dirname(file), constants.W_OK);
    return undefined;
  });
  if (fault === undefined) return [];
  const hint = "let the user that the daemon runs as write in its folder, or change log.file";
  return [{ file, path: "", message: `can't be put aside when it is full, and grows on: ${fault}`, hint }];
}

/** Finds something in the place of the state folder that is no folder. One that isn't there is made by the daemon. */
export async function checkStateFolder({ stateDirectory: file }: Settings): Promise<Finding[]> {
  const fault = await faultOf(async () =>
    !await exists(file) || (await stat(file)).isDirectory() ? undefined : "it is no folder"
  );
  if (fault === undefined) return [];
  const hint = "move it away, or name another folder in STATE_DIRECTORY";
  return [{ file, path: "", message: `can't be the state folder: ${fault}`, hint }];
}

/** Finds an accounts file that can't be read. One that isn't there has no accounts. */
export async function checkAccountsFile({ accountsFile: file }: Settings): Promise<Finding[]> {
  try {
    return await checkAccess(file);
  } catch (error) {
    if (error instanceof ConfigError) return [...error.findings];
    throw error;
  }
}

async function checkAccess(file: string): Promise<Finding[]> {
  const fault = await faultOf(async () => {
    if (!await exists(file)) {
      return await isLink(file) ? "it is a link to a file that is not there" : undefined;
    }
    if (!(await stat(file)).isFile()) return "it is no file";
    await readUtf8(file);
    return undefined;
  });
  if (fault === undefined) return [];
  const hint = "let the user that the daemon runs as read it, or name another file with --accounts";
  return [{ file, path: "", message: `can't be read: ${fault}`, hint }];
}

/**
 * Finds hosts of listeners and of the admin API at which this machine can't listen, whatever the port. A start doesn't ask: it
 * listens, and what it can't listen at now may be there when it is tried again, as an address that comes up late in the boot.
 */
export async function checkHosts({ listeners, admin, adminOnly, configFile }: Settings): Promise<Finding[]> {
  const places = [
    ...(adminOnly ? [] : listeners).map(({ hostname }, index) => ({
      hostname,
      path: `listeners[${index}].host`,
      option: "--host",
    })),
    { hostname: admin.hostname, path: "admin.host", option: "--admin-host" },
  ];
  const faults = new Map(
    await Promise.all(
      [...new Set(places.map(({ hostname }) => hostname))].map(async (hostname) =>
        [hostname, await hostFault(hostname)] as const
      ),
    ),
  );
  return places.flatMap(({ hostname, path, option }) => {
    const fault = faults.get(hostname);
    return fault === undefined ? [] : [{
      file: configFile ?? "config.json",
      path,
      message: `is "${hostname}", where this machine can't listen: ${fault}`,
      hint: `give an address of this machine: in config.json, or with ${option}`,
    }];
  });
}

/** At any free port: whether the settings' own is free is shown by listening only. */
function hostFault(host: string): Promise<string | undefined> {
  return faultOf(async () => {
    // Not Deno.listen, which stops everything while it looks a name up.
    const server = createServer().listen({ host, port: 0 });
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return undefined;
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** @returns What the work found, or why it failed. */
async function faultOf(work: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof ConfigError) throw error;
    return error.message;
  }
}
