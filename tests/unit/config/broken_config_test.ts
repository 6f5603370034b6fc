/**
 * Each file in `broken/` is a config.json with faults; `<name>.expected.json` has the findings that it must give.
 * Those that are no JSON at all end in `.txt`, so that no formatter mends them.
 */

import assert from "node:assert/strict";
import { ConfigError } from "../../../src/config/config_error.ts";
import { loadSettings } from "../../../src/config/load_settings.ts";

const folder = new URL("broken/", import.meta.url);
const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
  !name.includes(".expected.")
);

for (const name of names.sort()) {
  Deno.test(`loadSettings names every fault of ${name}`, async () => {
    const config = Deno.build.os === "windows" ? folder.pathname.slice(1) + name : folder.pathname + name;
    const expected = JSON.parse(
      await Deno.readTextFile(new URL(name.replace(/\.\w+$/, ".expected.json"), folder)),
    );
    await assert.rejects(loadSettings({ options: { config }, env: {} }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.findings, expected.map((finding: object) => ({ file: config, ...finding })));
      return true;
    });
  });
}
