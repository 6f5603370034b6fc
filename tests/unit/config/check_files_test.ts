import assert from "node:assert/strict";
import { join } from "node:path";
import { checkFiles } from "../../../src/config/check_files.ts";
import { loadSettings } from "../../../src/config/load_settings.ts";

/** What is found of a provider's `ca_file`. */
async function findingsOf(caFile: string): Promise<string[]> {
  const provider = {
    smtp_endpoint: "smtp.example.com:587",
    oauth_token_url: "https://example.com/token",
    ca_file: caFile,
  };
  const { settings } = await loadSettings({
    options: { config: "config.json", accounts: "accounts.json" },
    env: {},
    readFile: () => Promise.resolve(JSON.stringify({ providers: { own: provider } })),
  });
  return (await checkFiles(settings)).map(({ message }) => message);
}

Deno.test("checkFiles reads no device, no folder, and nothing that is too large for a certificate", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const large = join(directory, "large.pem");
    await Deno.writeTextFile(large, "-----BEGIN CERTIFICATE-----");
    assert.deepEqual(await findingsOf(large), []);
    await Deno.truncate(large, 2 ** 20 + 1);
    assert.deepEqual(await findingsOf(large), [
      `names "${large}", which can't be read: it is larger than 1 MiB`,
    ]);
    for (const path of [directory, ...(Deno.build.os === "windows" ? [] : ["/dev/null"])]) {
      assert.deepEqual(await findingsOf(path), [
        `names "${path}", which can't be read: it is no regular file`,
      ]);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
