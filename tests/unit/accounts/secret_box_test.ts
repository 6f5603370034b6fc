import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateSecretKey, isSealed, loadSecretBox, SecretBox } from "../../../src/accounts/secret_box.ts";

const key = Buffer.alloc(32, 1);

Deno.test("SecretBox opens what it sealed, and never seals twice alike", () => {
  const box = new SecretBox(key);
  const sealed = box.seal("sécret", "a@example.com refresh_token");
  assert.ok(isSealed(sealed));
  assert.equal(box.open(sealed, "a@example.com refresh_token"), "sécret");
  assert.notEqual(box.seal("sécret", "a@example.com refresh_token"), sealed);
});

Deno.test("SecretBox refuses another key, another place and damaged values", () => {
  const box = new SecretBox(key);
  const sealed = box.seal("secret", "here");
  assert.throws(() => new SecretBox(Buffer.alloc(32, 2)).open(sealed, "here"), /another key/);
  assert.throws(() => box.open(sealed, "there"));
  assert.throws(() => box.open(`${sealed.slice(0, -4)}AAAA`, "here"));
  assert.throws(() => box.open("enc:v1:AAAA", "here"));
  assert.throws(() => box.open("plain", "here"));
});

Deno.test("SecretBox takes 32 octets only", () => {
  assert.throws(() => new SecretBox(Buffer.alloc(31)), RangeError);
});

async function load(variables: Record<string, string>, files: Record<string, string> = {}) {
  const box = await loadSecretBox({
    env: (name) => variables[name],
    readFile: (path) => {
      const text = files[path.replaceAll("\\", "/")];
      return text === undefined ? Promise.reject(new Deno.errors.NotFound(path)) : Promise.resolve(text);
    },
  });
  return box;
}

Deno.test("loadSecretBox prefers the credential to the file to the environment", async () => {
  const [credential, file, variable] = [
    generateSecretKey(),
    generateSecretKey(),
    Buffer.alloc(32, 3).toString("hex"),
  ];
  const variables = {
    CREDENTIALS_DIRECTORY: "/run/credentials",
    XOAUTH2_ACCOUNTS_KEY_FILE: "/etc/key",
    XOAUTH2_ACCOUNTS_KEY: variable,
  };
  const sources: [string, Record<string, string>][] = [
    [credential, { "/run/credentials/accounts_key": `${credential}\n`, "/etc/key": file }],
    [file, { "/etc/key": file }],
  ];
  for (const [expected, files] of sources) {
    const sealed = new SecretBox(Buffer.from(expected, "base64")).seal("x", "c");
    assert.equal((await load(variables, files))?.open(sealed, "c"), "x");
  }
  const sealed = new SecretBox(Buffer.alloc(32, 3)).seal("x", "c");
  assert.equal((await load({ XOAUTH2_ACCOUNTS_KEY: variable }))?.open(sealed, "c"), "x");
});

Deno.test("loadSecretBox needs no key, but the file that it was told to read", async () => {
  assert.equal(await load({}), undefined);
  assert.equal(await load({ CREDENTIALS_DIRECTORY: "/run/credentials" }), undefined);
  await assert.rejects(load({ XOAUTH2_ACCOUNTS_KEY_FILE: "/etc/key" }), Deno.errors.NotFound);
  await assert.rejects(load({ XOAUTH2_ACCOUNTS_KEY: "short" }), RangeError);
});
