import assert from "node:assert/strict";
import { join } from "node:path";

const module = new URL("../../../src/config/check_places.ts", import.meta.url).href;

/** Runs a check in a process of a user who isn't root: root may write everywhere. */
async function checkAsNobody(name: string, settings: unknown): Promise<{ message: string }[]> {
  const program = `import { ${name} } from "${module}";` +
    `console.log(JSON.stringify(await ${name}(${JSON.stringify(settings)})));`;
  const nobody = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", program],
    clearEnv: true,
    env: { DENO_DIR: "/nonexistent" },
    ...nobody,
  }).output();
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(stderr), "");
  return JSON.parse(decoder.decode(stdout));
}

Deno.test({
  name: "checkLogFolder finds a log file whose folder can't be written, and leaves a device alone",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const file = join(folder, "proxy.log");
    await Deno.writeTextFile(file, "");
    await Deno.chmod(file, 0o666);
    await Deno.chmod(folder, 0o555);
    const [finding] = await checkAsNobody("checkLogFolder", { log: { file } });
    assert.match(finding!.message, /^can't be put aside when it is full/);
    assert.deepEqual(await checkAsNobody("checkLogFile", { log: { file } }), []);
    assert.deepEqual(await checkAsNobody("checkLogFolder", { log: { file: "/dev/null" } }), []);
    await Deno.chmod(folder, 0o755);
    await Deno.remove(folder, { recursive: true });
  },
});
