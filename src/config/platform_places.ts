/** Where files are looked for and kept when nobody says otherwise, by operating system and user. */

import { posix, win32 } from "node:path";

/** What the places depend on. */
export interface Platform {
  readonly os: "linux" | "darwin" | "windows";
  /** Runs as root; not asked on Windows. */
  readonly isRoot: boolean;
  /** Working folder. */
  readonly cwd: string;
  /** Name of the machine, for the greeting; empty where unknown. */
  readonly hostname: string;
  /** Standard error is a terminal. */
  readonly stderrIsTerminal: boolean;
}

/** Environment variables, those of `XOAUTH2_` and those of the platform. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Folders in the order in which they are searched. */
export interface PlatformPlaces {
  /** Folders that may have config.json and accounts.json, after the working folder. */
  readonly configDirectories: readonly string[];
  /** Folder for what the daemon itself keeps. */
  readonly stateDirectory: string;
  /** `path` taken from `folder` unless it is absolute. */
  readonly resolve: (folder: string, path: string) => string;
  readonly dirname: (path: string) => string;
}

const appName = "xoauth2-proxy";

/** Reads what `Platform` has from the running system. */
export function currentPlatform(): Platform {
  const os = Deno.build.os === "windows" || Deno.build.os === "darwin" ? Deno.build.os : "linux";
  return {
    os,
    isRoot: os !== "windows" && Deno.uid() === 0,
    cwd: Deno.cwd(),
    hostname: Deno.hostname(),
    stderrIsTerminal: Deno.stderr.isTerminal(),
  };
}

/**
 * The places of one platform. `$STATE_DIRECTORY` and `$CONFIGURATION_DIRECTORY`, as systemd.exec(5) sets them, come
 * first; then those of the XDG base directories, `%ProgramData%` or `Library/Application Support`.
 */
export function platformPlaces(platform: Platform, env: Environment): PlatformPlaces {
  const { join, isAbsolute, dirname } = platform.os === "windows" ? win32 : posix;
  const places = placesOf(platform, env, join);
  // systemd lists several folders with colons; the first is ours.
  const state = firstOf(env["STATE_DIRECTORY"], platform.os);
  const configuration = firstOf(env["CONFIGURATION_DIRECTORY"], platform.os);
  return {
    configDirectories: configuration ? [configuration, ...places.config] : places.config,
    stateDirectory: state || places.state,
    resolve: (folder, path) => isAbsolute(path) ? path : join(folder, path),
    dirname,
  };
}

function firstOf(list: string | undefined, os: Platform["os"]): string | undefined {
  return os === "windows" ? list : list?.split(":")[0];
}

interface Places {
  readonly config: readonly string[];
  readonly state: string;
}

type Join = (...parts: string[]) => string;

function placesOf({ os, isRoot, cwd }: Platform, env: Environment, join: Join): Places {
  if (os === "windows") {
    const folder = join(env["ProgramData"] || env["PROGRAMDATA"] || "C:\\ProgramData", appName);
    return { config: [folder], state: join(folder, "state") };
  }
  const home = env["HOME"] || cwd;
  const isOwn = !isRoot;
  if (os === "darwin") {
    const shared = join("/Library/Application Support", appName);
    const own = join(home, "Library/Application Support", appName);
    return { config: isOwn ? [own, shared] : [shared], state: join(isOwn ? own : shared, "state") };
  }
  const shared = join("/etc", appName);
  const own = join(env["XDG_CONFIG_HOME"] || join(home, ".config"), appName);
  const ownState = join(env["XDG_STATE_HOME"] || join(home, ".local/state"), appName);
  return isOwn
    ? { config: [own, shared], state: ownState }
    : { config: [shared], state: join("/var/lib", appName) };
}
