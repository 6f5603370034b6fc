import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { ConfigError } from "../../../src/config/config_error.ts";
import type { RawRecord } from "../../../src/accounts/accounts_file.ts";
import { SecretBox } from "../../../src/accounts/secret_box.ts";
import { testProvider } from "../oauth/test_account.ts";
import { accountsFolder, record } from "./store_fixture.ts";

const secretBox = new SecretBox(Buffer.alloc(32, 7));

Deno.test("AccountStore takes a missing file as an empty one and creates it with mode 0600", async () => {
  await using folder = await accountsFolder();
  const store = await folder.open();
  assert.deepEqual(store.list(), []);
  await store.add(record("a@example.com"));
  assert.equal((await folder.read()).accounts.length, 1);
  if (Deno.build.os !== "windows") assert.equal((await Deno.stat(folder.file)).mode! & 0o777, 0o600);
});

Deno.test("AccountStore finds accounts by e-mail and user name without regard to case", async () => {
  await using folder = await accountsFolder([record("Joe@Example.com", { username: "Scanner" })]);
  const store = await folder.open();
  assert.equal(store.get("joe@example.COM")?.email, "Joe@Example.com");
  assert.equal(store.byUsername("SCANNER")?.email, "Joe@Example.com");
  assert.equal(store.byUsername("joe@example.com"), undefined);
});

Deno.test("AccountStore keeps unknown fields, order and outer form through every edit", async () => {
  const outer = { _comment: "ours", version: 2 };
  const accounts = [
    record("a@example.com", { ip_address: "192.0.2.1", note: { x: 1 } }),
    record("b@example.com"),
  ];
  await using folder = await accountsFolder({ ...outer, accounts });
  const store = await folder.open();
  await store.update("a@example.com", { scope: "mail" });
  await store.rotateRefreshToken("b@example.com", "rotated");
  await store.add(record("c@example.com"));
  assert.deepEqual(await folder.read(), {
    ...outer,
    accounts: [
      { ...accounts[0], scope: "mail" },
      { ...accounts[1], refresh_token: "rotated" },
      record("c@example.com"),
    ],
  });
  assert.deepEqual(store.list().map(({ email }) => email), [
    "a@example.com",
    "b@example.com",
    "c@example.com",
  ]);
});

Deno.test("AccountStore writes an array back as an array", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await (await folder.open()).remove("a@example.com");
  assert.deepEqual(await folder.read(), []);
});

Deno.test("AccountStore refuses to add an account twice unless it may overwrite", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await assert.rejects(store.add(record("A@example.com")), { code: "ACCOUNT_EXISTS" });
  await store.add(record("A@example.com", { scope: "new" }), { overwrite: true });
  assert.equal(store.get("a@example.com")?.scope, "new");
  assert.equal((await folder.read()).length, 1);
});

Deno.test("AccountStore refuses edits of accounts that it does not have", async () => {
  await using folder = await accountsFolder([]);
  const store = await folder.open();
  await assert.rejects(store.update("a@example.com", {}), { code: "ACCOUNT_NOT_FOUND" });
  await assert.rejects(store.remove("a@example.com"), { code: "ACCOUNT_NOT_FOUND" });
});

Deno.test("AccountStore refuses a faulty edit and leaves file and memory as they were", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open();
  const before = await Deno.readTextFile(folder.file);
  await assert.rejects(store.update("a@example.com", { oauth_endpoint: "nonsense" }), { code: "CONFIG" });
  await assert.rejects(store.update("a@example.com", { username: "B@example.com" }), /username/);
  await assert.rejects(store.update("a@example.com", { email: "b@example.com" }), /email/);
  assert.equal(await Deno.readTextFile(folder.file), before);
  assert.equal(store.get("a@example.com")?.username, "a@example.com");
});

Deno.test("AccountStore gives a user name to one of two accounts that are added at the same time", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  const [first, second, third] = await Promise.allSettled([
    store.add(record("b@example.com", { username: "Printer" })),
    store.add(record("c@example.com", { username: "printer" })),
    store.add(record("d@example.com", { username: "A@example.com" })),
  ]);
  assert.deepEqual([first?.status, second?.status, third?.status], ["fulfilled", "rejected", "rejected"]);
  const alone = await store.add(record("c@example.com", { username: "printer" })).catch((error) => error);
  assert.deepEqual((second as PromiseRejectedResult).reason.findings, alone.findings);
  assert.deepEqual((await folder.open()).list().map(({ email }) => email), [
    "a@example.com",
    "b@example.com",
  ]);
});

Deno.test("AccountStore moves an account to another e-mail, its encrypted secrets too", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open({ secretBox });
  await store.convertSecrets("encrypted");
  await store.update("a@example.com", { email: "new@example.com" });
  assert.equal(store.get("a@example.com"), undefined);
  assert.equal(store.get("new@example.com")?.refreshToken, "a@example.com token 0");
  assert.equal(
    (await folder.open({ secretBox })).get("new@example.com")?.refreshToken,
    "a@example.com token 0",
  );
});

Deno.test("AccountStore loses no edit of two stores on one file", async () => {
  await using folder = await accountsFolder([]);
  const [one, other] = await Promise.all([folder.open(), folder.open()]);
  const edits = Array.from({ length: 20 }, (_, index) => [
    one.add(record(`one${index}@example.com`)),
    other.add(record(`other${index}@example.com`)),
  ]);
  await Promise.all(edits.flat());
  const difference = await one.reload();
  assert.equal(difference.added.length, 20);
  assert.equal(one.list().length, 40);
});

Deno.test("AccountStore writes many rotations of one moment together", async () => {
  const emails = Array.from({ length: 1000 }, (_, index) => `sender${index}@example.com`);
  await using folder = await accountsFolder(emails.map((email) => record(email)));
  const store = await folder.open();
  await Promise.all(emails.map((email) => store.rotateRefreshToken(email, `${email} token 1`)));
  assert.ok(store.list().every(({ email, refreshToken }) => refreshToken === `${email} token 1`));
  const stored: { email: string; refresh_token: string }[] = await folder.read();
  assert.ok(stored.every(({ email, refresh_token }) => refresh_token === `${email} token 1`));
});

Deno.test("AccountStore leaves a grant alone that was entered while a token was rotated", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await folder.write([record("a@example.com", { refresh_token: "new grant" })]);
  await store.rotateRefreshToken("a@example.com", "rotated", { replaces: "a@example.com token 0" });
  assert.equal((await folder.read())[0].refresh_token, "new grant");
  await store.reload();
  assert.equal(store.get("a@example.com")?.refreshToken, "new grant");
});

Deno.test("AccountStore recognizes an old token that an editor wrote back", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  const old = await folder.read();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await store.rotateRefreshToken("a@example.com", "token 2");
  await folder.write(old);
  await store.reload();
  assert.equal(store.get("a@example.com")?.refreshToken, "token 2");
  await store.rotateRefreshToken("a@example.com", "token 3");
  assert.equal((await folder.read())[0].refresh_token, "token 3");
});

Deno.test("AccountStore puts the newest token back on disk when an editor wrote an old one", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open();
  const old = await folder.read();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await folder.write(old);
  await store.reload();
  assert.deepEqual((await folder.read()).map((record: RawRecord) => record["refresh_token"]), [
    "token 1",
    "b@example.com token 0",
  ]);
  await folder.write(old);
  await Deno.chmod(folder.file, 0o400);
  await store.reload();
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 1");
  await store.rotateRefreshToken("a@example.com", "token 2");
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 2");
});

Deno.test("AccountStore writes the newest token with an edit of an account whose old one came back", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open({ secretBox });
  await store.convertSecrets("encrypted");
  const old = await folder.read();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await folder.write(old);
  await store.update("a@example.com", { scope: "x" });
  assert.equal((await folder.open({ secretBox })).get("a@example.com")?.refreshToken, "token 1");
  assert.match((await folder.read())[0].refresh_token, /^enc:v1:/);
});

Deno.test("AccountStore takes an older token that is entered over the newest, wherever that is", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await Deno.chmod(folder.file, 0o400);
  await store.rotateRefreshToken("b@example.com", "token 1");
  await Deno.chmod(folder.file, 0o600);
  for (const email of ["a@example.com", "b@example.com"]) {
    const refresh_token = `${email} token 0`;
    assert.equal((await store.update(email, { refresh_token })).refreshToken, refresh_token);
    await store.reload();
    assert.equal(store.get(email)?.refreshToken, refresh_token);
    assert.equal((await folder.open()).get(email)?.refreshToken, refresh_token);
  }
});

Deno.test("AccountStore takes the newest token along to another e-mail", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await Deno.chmod(folder.file, 0o400);
  await (await folder.open()).rotateRefreshToken("a@example.com", "token 1");
  await Deno.chmod(folder.file, 0o600);
  const store = await folder.open();
  const renamed = await store.update("a@example.com", { email: "b@example.com" });
  assert.equal(renamed.refreshToken, "token 1");
  assert.equal((await folder.read())[0].refresh_token, "token 1");
  await Deno.chmod(folder.file, 0o400);
  await store.rotateRefreshToken("b@example.com", "token 2");
  assert.equal((await folder.open()).get("b@example.com")?.refreshToken, "token 2");
});

Deno.test("AccountStore gives a token that comes under the old e-mail to the renamed account", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("c@example.com")]);
  const store = await folder.open({ secretBox });
  await store.convertSecrets("encrypted");
  const replaces = "a@example.com token 0";
  const renaming = store.update("a@example.com", { email: "b@example.com" });
  await Promise.all([renaming, store.rotateRefreshToken("a@example.com", "token 1", { replaces })]);
  assert.equal(store.get("b@example.com")?.refreshToken, "token 1");
  await store.update("b@example.com", { email: "d@example.com" });
  await store.rotateRefreshToken("b@example.com", "token 2", { replaces: "token 1" });
  const again = await folder.open({ secretBox });
  for (const opened of [store, again]) {
    assert.equal(opened.get("d@example.com")?.refreshToken, "token 2");
    assert.equal(opened.get("c@example.com")?.refreshToken, "c@example.com token 0");
    assert.equal(opened.list().length, 2);
  }
});

Deno.test("AccountStore still keeps tokens of an account whose removal could not be written", async () => {
  await using folder = await accountsFolder();
  // The temporary file's name is longer still: too long for the file system.
  const file = join(folder.folder, `${"a".repeat(220)}.json`);
  await Deno.writeTextFile(file, JSON.stringify([record("a@example.com")]), { mode: 0o600 });
  const store = await folder.open({ file });
  await assert.rejects(store.remove("a@example.com"), { code: "ACCOUNTS_NOT_WRITABLE" });
  await store.rotateRefreshToken("a@example.com", "token 1");
  assert.equal((await folder.open({ file })).get("a@example.com")?.refreshToken, "token 1");
});

Deno.test("AccountStore leaves no token of a removed account in the state folder", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open();
  await Deno.chmod(folder.file, 0o400);
  await store.rotateRefreshToken("a@example.com", "token of a");
  await store.rotateRefreshToken("b@example.com", "token of b");
  await Deno.chmod(folder.file, 0o600);
  await store.remove("a@example.com");
  const text = await Deno.readTextFile(join(folder.folder, "state", "refresh_tokens.json"));
  assert.doesNotMatch(text, /token of a/);
  assert.match(text, /token of b/);
});

Deno.test("AccountStore finds the token that another process has put in place of an account's", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const [store, other] = await Promise.all([folder.open(), folder.open()]);
  const account = store.get("a@example.com")!;
  assert.equal(await store.findSuccessor(account), undefined);
  await other.rotateRefreshToken("a@example.com", "token 1");
  assert.equal(await store.findSuccessor({ ...account, refreshToken: "of another grant" }), undefined);
  assert.equal(await store.findSuccessor(account), "token 1");
  assert.equal(store.get("a@example.com")?.refreshToken, "token 1");
  await Deno.chmod(folder.file, 0o400);
  await other.rotateRefreshToken("a@example.com", "token 2");
  assert.equal(await store.findSuccessor(store.get("a@example.com")!), "token 2");
  await store.rotateRefreshToken("a@example.com", "token 3");
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 3");
});

Deno.test("AccountStore finds no newer token in a file that is being edited into nonsense", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await folder.write("[{");
  assert.equal(await store.findSuccessor(store.get("a@example.com")!), undefined);
  assert.match(folder.messages().join(), /Cannot look for a newer refresh token of .*a@example\.com/);
});

Deno.test("AccountStore does not bring a removed account back with a rotation", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await store.remove("a@example.com");
  await store.rotateRefreshToken("a@example.com", "rotated", { replaces: "a@example.com token 0" });
  assert.deepEqual(await folder.read(), []);
  assert.equal(store.get("a@example.com"), undefined);
  await assert.rejects(Deno.stat(join(folder.folder, "state", "refresh_tokens.json")), Deno.errors.NotFound);
});

Deno.test("AccountStore keeps rotated tokens in the state folder while the accounts file is read-only", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  await Deno.chmod(folder.file, 0o400);
  const store = await folder.open();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await store.rotateRefreshToken("a@example.com", "token 2");
  await assert.rejects(store.add(record("c@example.com")), { code: "ACCOUNTS_NOT_WRITABLE" });
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 2");
  assert.equal((await folder.open()).get("b@example.com")?.refreshToken, "b@example.com token 0");
  assert.equal((await Deno.stat(join(folder.folder, "state", "refresh_tokens.json"))).mode! & 0o777, 0o600);
  assert.equal(folder.messages().filter((message) => message.includes("refresh_tokens.json")).length, 1);
});

Deno.test("AccountStore makes a state folder that isn't there, for its own user alone", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const stateDirectory = join(folder.folder, "state", "of", "the proxy");
  await Deno.chmod(folder.file, 0o400);
  await (await folder.open({ stateDirectory })).rotateRefreshToken("a@example.com", "token 1");
  assert.equal((await folder.open({ stateDirectory })).get("a@example.com")?.refreshToken, "token 1");
  if (Deno.build.os !== "windows") assert.equal((await Deno.stat(stateDirectory)).mode! & 0o777, 0o700);
});

Deno.test("AccountStore finds a rotated token again whose write to the accounts file failed half-way", async () => {
  await using folder = await accountsFolder();
  // The temporary file's name is longer still: too long for the file system.
  const file = join(folder.folder, `${"a".repeat(220)}.json`);
  await Deno.writeTextFile(file, JSON.stringify([record("a@example.com")]), { mode: 0o600 });
  await Deno.mkdir(join(folder.folder, "state"));
  const store = await folder.open({ file });
  await store.rotateRefreshToken("a@example.com", "token 1");
  await store.rotateRefreshToken("a@example.com", "token 2");
  const [unchanged] = JSON.parse(await Deno.readTextFile(file));
  assert.equal(unchanged.refresh_token, "a@example.com token 0");
  assert.equal((await folder.open({ file })).get("a@example.com")?.refreshToken, "token 2");
});

Deno.test("AccountStore prefers a new grant in accounts.json to a rotated token of the old one", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await Deno.chmod(folder.file, 0o400);
  const store = await folder.open();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await Deno.chmod(folder.file, 0o600);
  await folder.write([record("a@example.com", { refresh_token: "new grant" })]);
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "new grant");
});

Deno.test("AccountStore goes on with the state folder's token once accounts.json can be written again", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await Deno.chmod(folder.file, 0o400);
  await (await folder.open()).rotateRefreshToken("a@example.com", "token 1");
  await Deno.chmod(folder.file, 0o600);
  const store = await folder.open();
  await store.rotateRefreshToken("a@example.com", "token 2");
  assert.equal((await folder.read())[0].refresh_token, "token 2");
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 2");
});

Deno.test("AccountStore keeps a rotated token although accounts.json is being edited into nonsense", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await folder.write("[{");
  await store.rotateRefreshToken("a@example.com", "token 1");
  assert.equal(store.get("a@example.com")?.refreshToken, "token 1");
  await folder.write([record("a@example.com")]);
  assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 1");
});

const halfWritten: [why: string, write: (file: string) => Promise<void>][] = [
  ["is empty", (file) => Deno.writeTextFile(file, "")],
  ["is missing", (file) => Deno.remove(file)],
  ["has no accounts", (file) => Deno.writeTextFile(file, "[]")],
  [
    "has the account without its token",
    (file) =>
      Deno.writeTextFile(file, JSON.stringify([{ ...record("a@example.com"), refresh_token: undefined }])),
  ],
];

for (const [why, write] of halfWritten) {
  Deno.test(`AccountStore keeps a rotated token although accounts.json ${why} at that moment`, async () => {
    await using folder = await accountsFolder([record("a@example.com")]);
    const store = await folder.open();
    await write(folder.file);
    await store.rotateRefreshToken("a@example.com", "token 1");
    assert.equal(store.get("a@example.com")?.refreshToken, "token 1");
    await folder.write([record("a@example.com")]);
    assert.equal((await folder.open()).get("a@example.com")?.refreshToken, "token 1");
    await store.reload();
    await store.rotateRefreshToken("a@example.com", "token 2");
    assert.equal((await folder.read())[0].refresh_token, "token 2");
  });
}

Deno.test("AccountStore encrypts and decrypts secrets and keeps their form at every rewrite", async () => {
  await using folder = await accountsFolder([record("a@example.com", { client_secret: "s" })]);
  const store = await folder.open({ secretBox });
  assert.equal(await store.convertSecrets("encrypted"), 1);
  await store.rotateRefreshToken("a@example.com", "token 1");
  await store.update("a@example.com", { client_secret: "s2" });
  await store.add(record("b@example.com"));
  for (const { refresh_token } of await folder.read()) assert.match(refresh_token, /^enc:v1:/);
  assert.doesNotMatch(await Deno.readTextFile(folder.file), /token [01]|"s2"/);
  const [a] = (await folder.open({ secretBox })).list();
  assert.equal(a?.refreshToken, "token 1");
  assert.equal(a?.clientSecret, "s2");
  assert.equal(await store.convertSecrets("clear"), 2);
  assert.equal((await folder.read())[0].refresh_token, "token 1");
});

Deno.test("AccountStore encrypts a rotated token in the state folder when the original is encrypted", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await (await folder.open({ secretBox })).convertSecrets("encrypted");
  await Deno.chmod(folder.file, 0o400);
  await (await folder.open({ secretBox })).rotateRefreshToken("a@example.com", "token 1");
  assert.doesNotMatch(
    await Deno.readTextFile(join(folder.folder, "state", "refresh_tokens.json")),
    /token 1/,
  );
  assert.equal((await folder.open({ secretBox })).get("a@example.com")?.refreshToken, "token 1");
});

Deno.test("AccountStore encrypts and decrypts tokens in the state folder too", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await Deno.chmod(folder.file, 0o400);
  await (await folder.open()).rotateRefreshToken("a@example.com", "token 1");
  await Deno.chmod(folder.file, 0o600);
  const store = await folder.open({ secretBox });
  const stateFile = join(folder.folder, "state", "refresh_tokens.json");
  for (const [form, isClear] of [["encrypted", false], ["clear", true]] as const) {
    await store.convertSecrets(form);
    assert.equal((await Deno.readTextFile(stateFile)).includes("token 1"), isClear);
    assert.equal((await folder.open({ secretBox })).get("a@example.com")?.refreshToken, "token 1");
  }
  await Deno.chmod(stateFile, 0o400);
  await assert.rejects(store.convertSecrets("encrypted"), {
    code: "ACCOUNTS_NOT_WRITABLE",
    message: /refresh_tokens\.json/,
  });
});

Deno.test("AccountStore encrypts a rotated token that looks like an encrypted one", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open({ secretBox });
  await store.rotateRefreshToken("a@example.com", "enc:v1:AAAA");
  assert.equal((await folder.open({ secretBox })).get("a@example.com")?.refreshToken, "enc:v1:AAAA");
  await Deno.chmod(folder.file, 0o400);
  await store.rotateRefreshToken("b@example.com", "enc:v1:BBBB");
  assert.equal((await folder.open({ secretBox })).get("b@example.com")?.refreshToken, "enc:v1:BBBB");
});

Deno.test("AccountStore does not write a rotated token that looks encrypted without a key", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open();
  await assert.rejects(store.rotateRefreshToken("a@example.com", "enc:v1:AAAA"), /no accounts key/);
  assert.deepEqual(folder.messages(), []);
  await store.rotateRefreshToken("b@example.com", "token 1");
  assert.deepEqual((await folder.open()).list().map(({ refreshToken }) => refreshToken), [
    "a@example.com token 0",
    "token 1",
  ]);
});

Deno.test("AccountStore encrypts the first secret of an account when there is a key", async () => {
  const { refresh_token: _none, ...withoutSecrets } = record("a@example.com");
  await using folder = await accountsFolder([]);
  const store = await folder.open({ secretBox });
  await store.add(withoutSecrets);
  await store.update("a@example.com", { refresh_token: "granted" });
  assert.match((await folder.read())[0].refresh_token, /^enc:v1:/);
  assert.equal((await folder.open({ secretBox })).get("a@example.com")?.refreshToken, "granted");
});

Deno.test("AccountStore says that the key for encrypted secrets is missing", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await (await folder.open({ secretBox })).convertSecrets("encrypted");
  await assert.rejects(folder.open(), (error: ConfigError) => {
    assert.deepEqual(error.findings.map(({ path }) => path), ["[0].refresh_token"]);
    return true;
  });
});

Deno.test("AccountStore.reload tells what was added, removed and changed", async () => {
  await using folder = await accountsFolder(["a", "b", "c"].map((name) => record(`${name}@example.com`)));
  const store = await folder.open();
  await folder.write([
    record("a@example.com"),
    record("b@example.com", { scope: "x" }),
    record("d@example.com"),
  ]);
  assert.deepEqual(await store.reload(), {
    added: ["d@example.com"],
    removed: ["c@example.com"],
    changed: ["b@example.com"],
  });
  assert.deepEqual(await store.reload(), { added: [], removed: [], changed: [] });
});

Deno.test("AccountStore.reload keeps the old accounts when the file has a fault", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await folder.write([record("a@example.com"), { email: "nobody" }]);
  await assert.rejects(store.reload(), { code: "CONFIG" });
  assert.deepEqual(store.list().map(({ email }) => email), ["a@example.com"]);
});

Deno.test("AccountStore neither forgets its accounts nor writes a file without them while the file is away", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await Deno.rename(folder.file, `${folder.file}.old`);
  await assert.rejects(store.reload(), { code: "CONFIG" });
  await assert.rejects(store.add(record("b@example.com")), { code: "CONFIG" });
  await Deno.writeTextFile(folder.file, "");
  await assert.rejects(store.reload(), { code: "CONFIG" });
  await assert.rejects(store.add(record("b@example.com")), { code: "CONFIG" });
  await Deno.rename(`${folder.file}.old`, folder.file);
  await store.add(record("b@example.com"));
  assert.deepEqual((await folder.open()).list().map(({ email }) => email), [
    "a@example.com",
    "b@example.com",
  ]);
});

Deno.test("AccountStore that has just begun waits for a file that is being saved in place", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const text = await Deno.readTextFile(folder.file);
  await Deno.writeTextFile(folder.file, "");
  const opening = folder.open();
  await Deno.writeTextFile(folder.file, text);
  assert.deepEqual((await opening).list().map(({ email }) => email), ["a@example.com"]);
});

Deno.test("AccountStore refuses a file in another encoding, which it would write back in pieces", async () => {
  await using folder = await accountsFolder([]);
  const latin1 = Uint8Array.from(
    '[{"email":"a@example.com","username":"m\u00fcller"}]',
    (c) => c.charCodeAt(0),
  );
  await Deno.writeFile(folder.file, latin1);
  await assert.rejects(folder.open(), /accounts\.json: is not UTF-8 text/);
});

Deno.test("AccountStore knows a rotated token although accounts.json has another grant, or none can be written", async () => {
  await using folder = await accountsFolder([record("a@example.com", { refresh_token: "R0" })]);
  const store = await folder.open();
  await folder.write([record("a@example.com", { refresh_token: "entered by hand" })]);
  await store.rotateRefreshToken("a@example.com", "R1");
  assert.equal(store.get("a@example.com")!.refreshToken, "R1");
  await Deno.writeTextFile(folder.file, "{");
  await Deno.mkdir(join(folder.folder, "state", "refresh_tokens.json", "in the way"), { recursive: true });
  await assert.rejects(store.rotateRefreshToken("a@example.com", "R2"));
  assert.equal(store.get("a@example.com")!.refreshToken, "R2");
  assert.equal(await store.findSuccessor(store.get("a@example.com")!), undefined);
});

Deno.test("AccountStore leaves nothing of an account whose rotation and removal are written together", async () => {
  await using folder = await accountsFolder([record("a@example.com", { refresh_token: "R0" })]);
  const store = await folder.open();
  await Promise.all([
    store.rotateRefreshToken("a@example.com", "R1", { replaces: "R0" }),
    store.remove("a@example.com"),
  ]);
  await store.rotateRefreshToken("a@example.com", "R2", { replaces: "R1" });
  const state = await Deno.readTextFile(join(folder.folder, "state", "refresh_tokens.json")).catch(() => "");
  assert.ok(!state.includes("R2"));
});

Deno.test("AccountStore.prepareReload changes nothing until it is applied, and can be taken back", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  await folder.write([record("b@example.com")]);
  const prepared = await store.prepareReload();
  assert.ok(store.get("a@example.com"));
  prepared.apply();
  assert.ok(store.get("b@example.com"));
  prepared.revert();
  assert.deepEqual(store.list().map(({ email }) => email), ["a@example.com"]);
});

Deno.test("AccountStore keeps edits and rotations that come between a reload's reading and its use", async () => {
  await using folder = await accountsFolder([record("a@example.com"), record("b@example.com")]);
  const store = await folder.open();
  const { apply } = await store.prepareReload();
  await store.rotateRefreshToken("a@example.com", "token 1");
  await store.add(record("c@example.com"));
  await store.remove("b@example.com");
  apply();
  assert.equal(store.get("a@example.com")?.refreshToken, "token 1");
  assert.ok(store.get("c@example.com"));
  assert.equal(store.get("b@example.com"), undefined);
});

Deno.test("AccountStore takes edits of a reload's time over with the reload's providers", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  const fresh = testProvider({ name: "fresh" });
  const { apply } = await store.prepareReload({ resolveProvider: () => fresh });
  await store.update("a@example.com", { scope: "x" });
  await store.add(record("b@example.com"));
  apply();
  assert.deepEqual(store.list().map(({ provider, scope }) => [provider.name, scope]), [
    ["fresh", "x"],
    ["fresh", undefined],
  ]);
});

Deno.test("AccountStore knows after a reload what accounts.json had of tokens by then", async () => {
  const emails = ["a@example.com", "b@example.com", "c@example.com"] as const;
  await using folder = await accountsFolder(emails.slice(0, 2).map((email) => record(email)));
  const store = await folder.open();
  const { apply } = await store.prepareReload();
  await store.update(emails[0], { refresh_token: "new grant" });
  await store.rotateRefreshToken(emails[1], "token 1");
  await store.add(record(emails[2]));
  apply();
  await Deno.chmod(folder.file, 0o400);
  for (const email of emails) await store.rotateRefreshToken(email, "token 2");
  assert.deepEqual((await folder.open()).list().map(({ refreshToken }) => refreshToken), [
    "token 2",
    "token 2",
    "token 2",
  ]);
});

Deno.test("AccountStore finds a user name's new account although the name changed hands during a reload", async () => {
  await using folder = await accountsFolder([
    record("a@example.com", { username: "one" }),
    record("b@example.com", { username: "two" }),
  ]);
  const store = await folder.open();
  await store.update("b@example.com", { scope: "y" });
  const { apply } = await store.prepareReload();
  await store.update("b@example.com", { scope: "z" });
  await store.update("a@example.com", { username: "three" });
  await store.update("b@example.com", { username: "one" });
  apply();
  const names = ["one", "two", "three"].map((name) => store.byUsername(name)?.email);
  assert.deepEqual(names, ["b@example.com", undefined, "a@example.com"]);
});

Deno.test("AccountStore warns of a file that others may read", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  await Deno.chmod(folder.file, 0o644);
  const [warning] = (await folder.open()).warnings;
  assert.match(warning?.message ?? "", /0644/);
  assert.match(warning?.hint ?? "", /chmod 0600/);
});

Deno.test("AccountStore does edits again on what each of several reloads has read, whichever is applied", async () => {
  await using folder = await accountsFolder([record("a@example.com")]);
  const store = await folder.open();
  const [first, second, third] = [
    await store.prepareReload(),
    await store.prepareReload(),
    await store.prepareReload(),
  ];
  third.discard();
  await store.update("a@example.com", { client_id: "edited" });
  first.discard();
  second.apply();
  assert.equal(store.get("a@example.com")?.clientId, "edited");
});
