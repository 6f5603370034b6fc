import assert from "node:assert/strict";
import { join } from "node:path";
import { verifyPassword } from "../../src/accounts/password_hash.ts";
import { generateSecretKey } from "../../src/accounts/secret_box.ts";
import { ScriptedTokenEndpoint } from "../support/token_endpoint.ts";
import { newAccount } from "./admin_fixture.ts";
import { CliFixture, ScriptedInput } from "./cli_fixture.ts";

/** Files whose provider `test` has a token endpoint of the test's own. */
async function start(accounts: readonly Readonly<Record<string, unknown>>[] = []) {
  await using stack = new AsyncDisposableStack();
  const endpoint = stack.use(await ScriptedTokenEndpoint.start());
  const { origin } = new URL(endpoint.url);
  const test = {
    smtp_endpoint: "127.0.0.1:9",
    smtp_security: "none",
    oauth_token_url: endpoint.url,
    authorization_url: `${origin}/authorize`,
    device_authorization_url: `${origin}/device`,
  };
  const cli = stack.use(await CliFixture.create({ providers: { test } }, accounts));
  const owned = stack.move();
  return { endpoint, cli, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const anna = newAccount("anna@example.com");
const addAnna = ["account", "add", "anna@example.com", "--provider", "test", "--client-id", "app"];
const granted = {
  body: { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "granted" },
};

Deno.test("account add takes secrets from files and a pipe, verifies and saves", async () => {
  await using lab = await start();
  const secret = await lab.cli.write("secret.txt", "cl13nt\n");
  const password = await lab.cli.write("password.txt", "pa55\n");
  const input = new ScriptedInput(false, { piped: "r3fresh\n" });
  const files = ["--client-secret-file", secret, "--password-file", password, "--refresh-token-file", "-"];
  const { status, out } = await lab.cli.run([...addAnna, ...files], { input });
  assert.equal(status, 0);
  assert.match(out, /^Added anna@example\.com\nNo daemon answers at .*: it counts from the next start on$/);
  assert.equal(lab.endpoint.requests[0]?.form.get("refresh_token"), "r3fresh");
  const [record] = await lab.cli.records();
  assert.deepEqual([record.client_secret, record.refresh_token], ["cl13nt", "r3fresh"]);
  assert.ok(await verifyPassword("pa55", record.password_hash));
});

Deno.test("account add asks on a terminal, for secrets without echo", async () => {
  await using lab = await start();
  const answers = ["anna@example.com", "test", "app", "cl13nt", "", "pa55"];
  const input = new ScriptedInput(true, { answers });
  const { status, out, err } = await lab.cli.run(["account", "add"], { input });
  assert.equal(status, 0, err);
  assert.match(out, /next: xoauth2-proxy account authorize anna@example\.com/);
  assert.equal(input.asked.filter((question) => question.endsWith("(secret)")).length, 3);
  assert.ok(!`${out}${err}`.includes("cl13nt"));
  assert.equal(lab.endpoint.requestCount, 0);
});

Deno.test("account add without a terminal ends with 64 and names what is missing", async () => {
  await using lab = await start();
  const { status, err } = await lab.cli.run(["account", "add", "anna@example.com"]);
  assert.equal(status, 64);
  assert.match(err, /Give --provider/);
});

Deno.test("account add ends with 1 and the remedy when the provider refuses", async () => {
  await using lab = await start();
  lab.endpoint.once({ status: 400, body: { error: "invalid_grant" } });
  const input = new ScriptedInput(false, { piped: "r3fresh" });
  const { status, err } = await lab.cli.run([...addAnna, "--refresh-token-file", "-"], { input });
  assert.equal(status, 1);
  assert.match(err, /invalid_grant.*Authorize the account again/);
  assert.deepEqual(await lab.cli.records(), []);
});

Deno.test("account add mentions --no-verify when the provider can't be asked, and only then", async () => {
  await using lab = await start();
  lab.endpoint.once("reset");
  const fromPipe = () => ({ input: new ScriptedInput(false, { piped: "r3fresh" }) });
  const unreachable = await lab.cli.run([...addAnna, "--refresh-token-file", "-"], fromPipe());
  assert.equal(unreachable.status, 1);
  assert.match(unreachable.err, /can't be reached: .*--no-verify/);
  lab.endpoint.once({ status: 400, body: { error: "invalid_grant" } });
  const refused = await lab.cli.run([...addAnna, "--refresh-token-file", "-"], fromPipe());
  assert.doesNotMatch(refused.err, /--no-verify/);
});

Deno.test("account list of no accounts says which file it looked into, and how to name another", async () => {
  await using lab = await start();
  const { out } = await lab.cli.run(["account", "list"]);
  assert.match(out, /^No accounts in .*accounts\.json: .*--accounts names another file$/);
});

Deno.test("account add names every fault", async () => {
  await using lab = await start();
  const args = ["account", "add", "anna", "--provider", "gmial", "--client-id", "x", "--tenant", "!"];
  const { status, err } = await lab.cli.run(args);
  assert.equal(status, 1);
  for (const path of ["email", "provider", "tenant"]) assert.match(err, new RegExp(`^ {2}${path}: `, "m"));
});

Deno.test("account add takes one secret only from standard input", async () => {
  await using lab = await start();
  const files = ["--client-secret-file", "-", "--refresh-token-file", "-"];
  const { status, err } = await lab.cli.run([...addAnna, ...files]);
  assert.equal(status, 64);
  assert.match(err, /Only one secret/);
});

Deno.test("no command takes a secret on the command line", async () => {
  await using lab = await start();
  for (const option of ["--client-secret", "--refresh-token", "--password"]) {
    assert.equal((await lab.cli.run([...addAnna, option, "x"])).status, 64);
  }
});

Deno.test("account list and show tell all but secrets", async () => {
  await using lab = await start([{ ...anna, client_secret: "cl13nt" }, newAccount("bert@example.com")]);
  const list = await lab.cli.run(["account", "list"]);
  assert.match(list.out, /^ACCOUNT +PROVIDER +GRANT/);
  assert.equal(list.out.split("\n").length, 3);
  const json = await lab.cli.run(["account", "list", "--json"]);
  assert.deepEqual(json.json.accounts.map(({ email }: { email: string }) => email), [
    "anna@example.com",
    "bert@example.com",
  ]);
  const show = await lab.cli.run(["account", "show", "ANNA@example.com"]);
  assert.match(show.out, /^has_client_secret +yes$/m);
  for (const { out } of [list, json, show]) assert.ok(!/cl13nt|grant-of/.test(out));
});

Deno.test("account show ends with 1 for one that isn't there, also as JSON", async () => {
  await using lab = await start();
  const { status, err } = await lab.cli.run(["account", "show", "nobody@example.com"]);
  assert.equal(status, 1);
  assert.match(err, /no such account/);
  const { json } = await lab.cli.run(["account", "show", "nobody@example.com", "--json"]);
  assert.equal(json.success, false);
});

Deno.test("account set-password takes it from a pipe", async () => {
  await using lab = await start([anna]);
  const input = new ScriptedInput(false, { piped: "pa55\n" });
  const { status, out } = await lab.cli.run(
    ["account", "set-password", "anna@example.com", "--password-file", "-"],
    { input },
  );
  assert.equal(status, 0);
  assert.ok(!out.includes("pa55"));
  assert.ok(await verifyPassword("pa55", (await lab.cli.records())[0].password_hash));
});

Deno.test("account set-password asks twice, and changes nothing when the answers differ", async () => {
  await using lab = await start([anna]);
  const args = ["account", "set-password", "anna@example.com"];
  const differ = await lab.cli.run(args, { input: new ScriptedInput(true, { answers: ["one", "two"] }) });
  assert.equal(differ.status, 1);
  assert.equal((await lab.cli.records())[0].password_hash, undefined);
  const same = await lab.cli.run(args, { input: new ScriptedInput(true, { answers: ["one", "one"] }) });
  assert.equal(same.status, 0);
  assert.ok(await verifyPassword("one", (await lab.cli.records())[0].password_hash));
});

Deno.test("account set-password makes one, and removes it", async () => {
  await using lab = await start([anna]);
  const args = ["account", "set-password", "anna@example.com"];
  const { json } = await lab.cli.run([...args, "--generate", "--json"]);
  assert.ok(await verifyPassword(json.password, (await lab.cli.records())[0].password_hash));
  assert.equal((await lab.cli.run([...args, "--remove"])).status, 0);
  assert.equal((await lab.cli.records())[0].password_hash, undefined);
});

Deno.test("account set-password and add refuse a file with nothing in it, and options against each other", async () => {
  await using lab = await start([anna]);
  const empty = await lab.cli.write("empty", "\n");
  const usages = [
    ["set-password", anna.email, "--password-file", empty],
    ["add", "bert@example.com", "--provider", "gmail", "--client-id", "c", "--password-file", empty],
    ["set-password", anna.email, "--generate", "--remove"],
    ["set-password", anna.email, "--generate", "--password-file", empty],
    ["encrypt", "--generate-key", "--decrypt"],
    ["authorize", anna.email, "--manual", "--device"],
  ];
  for (const usage of usages) {
    const { status, err: stderr } = await lab.cli.run(["account", ...usage]);
    assert.equal(status, 64, usage.join(" "));
    assert.match(stderr, /Nothing is in ".*empty"|cannot be used with option/);
  }
  assert.equal((await lab.cli.records()).length, 1);
});

Deno.test("account verify asks once for an account that is named twice", async () => {
  await using lab = await start([anna]);
  const { json } = await lab.cli.run([
    "account",
    "verify",
    anna.email,
    anna.email.toUpperCase(),
    "--json",
  ]);
  assert.equal(json.results.length, 1);
});

Deno.test("account remove asks on a terminal", async () => {
  await using lab = await start([anna, newAccount("bert@example.com")]);
  const args = ["account", "remove", "anna@example.com"];
  const no = await lab.cli.run(args, { input: new ScriptedInput(true, { answers: ["n"] }) });
  assert.equal(no.status, 1);
  assert.equal((await lab.cli.records()).length, 2);
  const yes = await lab.cli.run(args, { input: new ScriptedInput(true, { answers: ["y"] }) });
  assert.equal(yes.status, 0);
  assert.deepEqual((await lab.cli.records()).map(({ email }) => email), ["bert@example.com"]);
});

Deno.test("account remove removes nothing when one of several isn't there", async () => {
  await using lab = await start([anna]);
  const { status } = await lab.cli.run(["account", "remove", "anna@example.com", "nobody@example.com"]);
  assert.equal(status, 1);
  assert.equal((await lab.cli.records()).length, 1);
});

Deno.test("account remove removes nothing when a listener needs one of several", async () => {
  const device = { port: 2526, account: "bert@example.com", allowed_clients: ["127.0.0.1"] };
  await using fixture = await CliFixture.create({ listeners: [device] }, [
    newAccount("anna@example.com", { provider: "gmail" }),
    newAccount("bert@example.com", { provider: "gmail" }),
  ]);
  const { status, err } = await fixture.run(["account", "remove", "anna@example.com", "bert@example.com"]);
  assert.equal(status, 1);
  assert.match(err, /Cannot remove or rename "bert@example\.com"/);
  assert.equal((await fixture.records()).length, 2);
});

Deno.test("account remove takes an account that is named twice once", async () => {
  await using lab = await start([anna, newAccount("bert@example.com")]);
  const args = ["account", "remove", "anna@example.com", "Anna@Example.com", "--json"];
  const { status, json } = await lab.cli.run(args);
  assert.equal(status, 0);
  assert.deepEqual(json.removed, ["anna@example.com"]);
});

Deno.test("account import adds what is new and good, and tells the rest", async () => {
  await using lab = await start([anna]);
  lab.endpoint.always(({ form }) =>
    form.get("refresh_token")?.includes("revoked")
      ? { status: 400, body: { error: "invalid_grant" } }
      : { body: { access_token: "t", token_type: "Bearer", expires_in: 3600 } }
  );
  const file = await lab.cli.write(
    "new.json",
    JSON.stringify({
      accounts: [
        anna,
        newAccount("bert@example.com", { password: "pa55", vmta_name: "v" }),
        newAccount("revoked@example.com"),
        newAccount("odd@example.com", { provider: "gmial" }),
      ],
    }),
  );
  const { status, out } = await lab.cli.run(["account", "import", file]);
  assert.equal(status, 1);
  assert.match(out, /^exists {2}anna@example\.com/m);
  assert.match(out, /^failed {2}revoked@example\.com: .*invalid_grant/m);
  assert.match(out, /^failed {2}odd@example\.com: [\s\S]*gmail/m);
  assert.match(out, /^1 added, 0 replaced, 1 left as they are, 2 failed$/m);
  const records = await lab.cli.records();
  assert.deepEqual(records.map(({ email }) => email), ["anna@example.com", "bert@example.com"]);
  assert.equal(records[1].vmta_name, "v");
  assert.ok(await verifyPassword("pa55", records[1].password_hash));
});

Deno.test("account import takes a pipe, and prints JSON", async () => {
  await using lab = await start([anna]);
  const piped = JSON.stringify([anna, newAccount("bert@example.com")]);
  const { status, json } = await lab.cli.run(
    ["account", "import", "-", "--no-verify", "--overwrite", "--json"],
    { input: new ScriptedInput(false, { piped }) },
  );
  assert.equal(status, 0);
  assert.deepEqual(json.results.map(({ outcome }: { outcome: string }) => outcome), ["replaced", "added"]);
  assert.equal(json.daemon, "not_running");
  assert.equal(lab.endpoint.requestCount, 0);
});

Deno.test("account import takes an encrypted backup back with its key", async () => {
  await using lab = await start([anna]);
  const env = { XOAUTH2_ACCOUNTS_KEY: generateSecretKey() };
  await lab.cli.run(["account", "encrypt"], { env });
  const backup = await lab.cli.write("backup.json", JSON.stringify(await lab.cli.records()));
  await lab.cli.run(["account", "remove", anna.email, "--yes"], { env });
  const { status, out } = await lab.cli.run(["account", "import", backup], { env });
  assert.equal(status, 0, out);
  assert.equal(lab.endpoint.requests[0]?.form.get("refresh_token"), anna.refresh_token);
  assert.match((await lab.cli.records())[0].refresh_token, /^enc:v1:/);
});

Deno.test("account import names a password that is no text, without it", async () => {
  await using lab = await start();
  const file = await lab.cli.write("new.json", JSON.stringify([{ ...anna, password: 1234567 }]));
  const { status, out, err } = await lab.cli.run(["account", "import", file]);
  assert.equal(status, 1);
  assert.match(out, /^failed {2}anna@example\.com: [\s\S]*password: must be text/m);
  assert.doesNotMatch(out + err, /1234567/);
});

Deno.test("account import of a folder says that it can't be read", async () => {
  await using lab = await start();
  const { status, err } = await lab.cli.run(["account", "import", lab.cli.directory]);
  assert.equal(status, 1);
  assert.match(err, /^error: Cannot read ".*": /);
});

Deno.test("account import tells what is wrong with the file", async () => {
  await using lab = await start();
  const missing = await lab.cli.run(["account", "import", "/nowhere.json"]);
  assert.deepEqual([missing.status, missing.err], [
    1,
    'error: Cannot read "/nowhere.json": there is no such file',
  ]);
  const broken = await lab.cli.run(["account", "import", await lab.cli.write("broken.json", "{")]);
  assert.equal(broken.status, 78);
  assert.match(broken.err, /broken\.json/);
  const empty = await lab.cli.run(["account", "import", await lab.cli.write("empty.json", "")]);
  assert.equal(empty.status, 1);
  assert.match(empty.err, /Found no account in ".*empty\.json".*--from/);
  const other = await lab.cli.write("other", "hello world\n");
  const wrong = await lab.cli.run(["account", "import", other, "--from", "sasl-xoauth2"]);
  assert.equal(wrong.status, 1);
  assert.match(wrong.err, /a line has no token file/);
});

Deno.test("account encrypt hides the secrets in the file, and --decrypt brings them back", async () => {
  await using lab = await start([anna]);
  const env = { XOAUTH2_ACCOUNTS_KEY: generateSecretKey() };
  assert.equal((await lab.cli.run(["account", "encrypt"], { env })).status, 0);
  assert.match((await lab.cli.records())[0].refresh_token, /^enc:v1:/);
  assert.equal((await lab.cli.run(["account", "list"], { env })).status, 0);
  assert.equal((await lab.cli.run(["account", "list"])).status, 78);
  assert.equal((await lab.cli.run(["account", "encrypt", "--decrypt"], { env })).status, 0);
  assert.equal((await lab.cli.records())[0].refresh_token, anna.refresh_token);
});

Deno.test("account encrypt without a key says how to make one", async () => {
  await using lab = await start([anna]);
  const { status, err } = await lab.cli.run(["account", "encrypt"]);
  assert.equal(status, 1);
  assert.match(err, /--generate-key/);
  const { out } = await lab.cli.run(["account", "encrypt", "--generate-key"]);
  assert.equal(atob(out).length, 32);
});

Deno.test("account authorize comes back through the browser on this machine", async () => {
  await using lab = await start([{ ...anna, refresh_token: undefined }]);
  lab.endpoint.once(granted);
  const browsing: Promise<unknown>[] = [];
  const { status, err } = await lab.cli.run(["account", "authorize", "anna@example.com"], {
    onError(line) {
      const url = URL.parse(line.trim());
      if (url?.pathname === "/authorize") browsing.push(comeBack(url));
    },
  });
  assert.equal(status, 0, err);
  await Promise.all(browsing);
  assert.equal(lab.endpoint.requests[0]?.form.get("code"), "the-code");
  assert.equal((await lab.cli.records())[0].refresh_token, "granted");
});

Deno.test("account authorize --manual takes the pasted address", async () => {
  await using lab = await start([anna]);
  lab.endpoint.once(granted);
  const shown = Promise.withResolvers<string>();
  const input = new ScriptedInput(true);
  input.ask = async () => {
    const state = new URL(await shown.promise).searchParams.get("state");
    return `http://localhost/?code=the-code&state=${state}`;
  };
  const { status, err } = await lab.cli.run(["account", "authorize", "anna@example.com", "--manual"], {
    input,
    onError: (line) => line.includes("/authorize?") && shown.resolve(line.trim()),
  });
  assert.equal(status, 0, err);
  assert.equal((await lab.cli.records())[0].refresh_token, "granted");
});

Deno.test("account authorize asks nobody for a grant that couldn't be kept", async () => {
  await using lab = await start([anna]);
  await Deno.chmod(join(lab.cli.directory, "accounts.json"), 0o400);
  const input = new ScriptedInput(true);
  input.ask = () => assert.fail("nobody is to be asked");
  const { status, err } = await lab.cli.run(["account", "authorize", "anna@example.com", "--manual"], {
    input,
  });
  assert.equal(status, 1);
  assert.match(err, /Cannot write ".*accounts\.json".*read-only/);
  assert.equal(lab.endpoint.requestCount, 0);
});

Deno.test("account authorize --manual refuses another authorization's address", async () => {
  await using lab = await start([anna]);
  const input = new ScriptedInput(true, { answers: ["http://localhost/?code=x&state=guess"] });
  const { status, err } = await lab.cli.run(["account", "authorize", "anna@example.com", "--manual"], {
    input,
  });
  assert.equal(status, 1);
  assert.match(err, /does not belong to this authorization/);
  assert.equal(lab.endpoint.requestCount, 0);
});

Deno.test("account authorize --device shows the code and waits", async () => {
  await using lab = await start([anna]);
  lab.endpoint.always(({ path }) => {
    if (path === "/device") {
      const verification_uri = "https://provider.example/device";
      return {
        body: { device_code: "d", user_code: "ABCD", verification_uri, expires_in: 900, interval: 0.01 },
      };
    }
    return lab.endpoint.requestCount < 3
      ? { status: 400, body: { error: "authorization_pending" } }
      : granted;
  });
  const { status, err } = await lab.cli.run(["account", "authorize", "anna@example.com", "--device"]);
  assert.equal(status, 0, err);
  assert.match(err, /ABCD/);
  assert.equal((await lab.cli.records())[0].refresh_token, "granted");
});

Deno.test("check finds faults of the accounts file too", async () => {
  await using lab = await start([{ email: "anna", provider: "gmial" }]);
  const { status, json } = await lab.cli.run(["check", "--json"]);
  assert.equal(status, 78);
  assert.deepEqual(json.faults.map(({ path }: { path: string }) => path).sort(), ["[0].email"]);
});

async function comeBack(url: URL): Promise<void> {
  const redirect = new URL(url.searchParams.get("redirect_uri") ?? "");
  assert.equal(redirect.hostname, "localhost");
  // The listener is on IPv4 only, and the name may lead to ::1 first.
  redirect.hostname = "127.0.0.1";
  const stranger = await fetch(`${redirect.href}?code=x&state=guess`);
  assert.equal(stranger.status, 404);
  await stranger.body?.cancel();
  redirect.search = `?code=the-code&state=${url.searchParams.get("state")}`;
  const answer = await fetch(redirect);
  assert.match(await answer.text(), /Go back to the terminal/);
}
