import assert from "node:assert/strict";
import { join } from "node:path";
import { adminTokenFile, findAdminToken, loadAdminToken } from "../../../src/admin/admin_token.ts";

const token = "a-token-of-20-letters";

async function folder() {
  const path = await Deno.makeTempDir();
  return {
    path,
    async write(name: string, text: string) {
      await Deno.writeTextFile(join(path, name), text);
      return join(path, name);
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

Deno.test("findAdminToken takes file, variable, credential and state in this order", async () => {
  await using here = await folder();
  const tokenFile = await here.write("named", `${token}-of-file\n`);
  await here.write("admin_token", `${token}-of-state`);
  const credentials = join(here.path, "credentials");
  await Deno.mkdir(credentials);
  await Deno.writeTextFile(join(credentials, "admin_token"), `${token}-of-credential`);
  const env = { XOAUTH2_ADMIN_TOKEN: `${token}-of-variable`, CREDENTIALS_DIRECTORY: credentials };
  const stateDirectory = here.path;
  const find = async (settings: { tokenFile?: string }, more: Record<string, string>) =>
    (await findAdminToken({ settings, env: more, stateDirectory }))?.value;
  assert.equal(await find({ tokenFile }, env), `${token}-of-file`);
  assert.equal(await find({}, env), `${token}-of-variable`);
  assert.equal(await find({}, { ...env, XOAUTH2_ADMIN_TOKEN: "" }), `${token}-of-credential`);
  assert.equal(await find({}, { CREDENTIALS_DIRECTORY: "/nowhere" }), `${token}-of-state`);
});

Deno.test("findAdminToken finds nothing where there is nothing", async () => {
  await using here = await folder();
  assert.equal(await findAdminToken({ settings: {}, env: {}, stateDirectory: here.path }), undefined);
  await here.write("admin_token", "\n");
  assert.equal(await findAdminToken({ settings: {}, env: {}, stateDirectory: here.path }), undefined);
});

for (const text of ["", "short", "two words of a long token", "a-tökén-of-20-letters"]) {
  Deno.test(`findAdminToken refuses the token ${JSON.stringify(text)}, and doesn't tell it`, async () => {
    await using here = await folder();
    const tokenFile = await here.write("named", text);
    await assert.rejects(
      findAdminToken({ settings: { tokenFile }, env: {}, stateDirectory: here.path }),
      (error: Error) => error.name === "ConfigError" && (text === "" || !error.message.includes(text)),
    );
  });
}

Deno.test("findAdminToken names a file that can't be read", async () => {
  const settings = { tokenFile: "/nowhere/token" };
  await assert.rejects(
    findAdminToken({ settings, env: {}, stateDirectory: "/nowhere" }),
    /\/nowhere\/token: can't be read: NotFound/,
  );
});

Deno.test("loadAdminToken makes a token once", async () => {
  await using here = await folder();
  const stateDirectory = join(here.path, "new", "state");
  const sources = { settings: {}, env: {}, stateDirectory };
  const made = await loadAdminToken(sources);
  assert.equal(made.place, adminTokenFile(stateDirectory));
  assert.ok(made.value.length >= 43);
  assert.deepEqual(await loadAdminToken(sources), made);
  if (Deno.build.os !== "windows") assert.equal((await Deno.stat(made.place)).mode! & 0o777, 0o600);
});

Deno.test("loadAdminToken makes another token for another folder", async () => {
  await using here = await folder();
  const make = (name: string) =>
    loadAdminToken({ settings: {}, env: {}, stateDirectory: join(here.path, name) });
  assert.notEqual((await make("one")).value, (await make("two")).value);
});
