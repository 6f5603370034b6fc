import assert from "node:assert/strict";
import { type Environment, type Platform, platformPlaces } from "../../../src/config/platform_places.ts";

const base: Platform = { os: "linux", isRoot: false, cwd: "/work", hostname: "", stderrIsTerminal: false };

const rows: readonly [
  title: string,
  platform: Partial<Platform>,
  env: Environment,
  config: string[],
  state: string,
][] = [
  ["a user on Linux", {}, { HOME: "/home/a" }, [
    "/home/a/.config/xoauth2-proxy",
    "/etc/xoauth2-proxy",
  ], "/home/a/.local/state/xoauth2-proxy"],
  ["a user with XDG folders", {}, { HOME: "/home/a", XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s" }, [
    "/c/xoauth2-proxy",
    "/etc/xoauth2-proxy",
  ], "/s/xoauth2-proxy"],
  ["root", { isRoot: true }, { HOME: "/root" }, ["/etc/xoauth2-proxy"], "/var/lib/xoauth2-proxy"],
  ["a systemd unit", {}, { STATE_DIRECTORY: "/var/lib/x:/var/lib/y", CONFIGURATION_DIRECTORY: "/etc/x" }, [
    "/etc/x",
    "/work/.config/xoauth2-proxy",
    "/etc/xoauth2-proxy",
  ], "/var/lib/x"],
  ["Windows", { os: "windows", cwd: "C:\\work" }, { ProgramData: "D:\\Data" }, [
    "D:\\Data\\xoauth2-proxy",
  ], "D:\\Data\\xoauth2-proxy\\state"],
  ["root on macOS", { os: "darwin", isRoot: true }, {}, [
    "/Library/Application Support/xoauth2-proxy",
  ], "/Library/Application Support/xoauth2-proxy/state"],
  ["a user on macOS", { os: "darwin" }, { HOME: "/Users/a" }, [
    "/Users/a/Library/Application Support/xoauth2-proxy",
    "/Library/Application Support/xoauth2-proxy",
  ], "/Users/a/Library/Application Support/xoauth2-proxy/state"],
];

for (const [title, platform, env, config, state] of rows) {
  Deno.test(`platformPlaces knows the folders of ${title}`, () => {
    const places = platformPlaces({ ...base, ...platform }, env);
    assert.deepEqual(places.configDirectories, config);
    assert.equal(places.stateDirectory, state);
  });
}

Deno.test("platformPlaces resolves drive letters on Windows", () => {
  const { resolve } = platformPlaces({ ...base, os: "windows" }, {});
  assert.equal(resolve("C:\\conf", "tls\\key.pem"), "C:\\conf\\tls\\key.pem");
  assert.equal(resolve("C:\\conf", "D:\\key.pem"), "D:\\key.pem");
});
