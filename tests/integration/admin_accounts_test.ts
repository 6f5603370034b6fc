import assert from "node:assert/strict";
import { verifyPassword } from "../../src/accounts/password_hash.ts";
import type { TokenAnswer } from "../support/token_endpoint.ts";
import { AdminFixture, newAccount } from "./admin_fixture.ts";

const anna = newAccount("anna@example.com", { client_secret: "s3cret-of-anna" });
const refusal = { status: 400, body: { error: "invalid_grant", error_description: "s3cret-of-anna" } };

Deno.test("POST accounts asks for a token, saves and makes live", async () => {
  await using admin = await AdminFixture.start();
  const { status, body } = await admin.call("POST", "/admin/accounts", {
    body: { ...anna, password: "pa55" },
  });
  assert.equal(status, 201);
  assert.equal(body.account.email, "anna@example.com");
  assert.equal(body.account.has_password, true);
  assert.equal(admin.tokenEndpoint.requests[0]?.form.get("refresh_token"), anna.refresh_token);
  assert.equal(admin.changes, 1);
  const [record] = await admin.fileRecords();
  assert.equal(record.refresh_token, anna.refresh_token);
  assert.equal(record.password, undefined);
  assert.ok(await verifyPassword("pa55", record.password_hash));
  assert.ok(!("verify" in record) && !("overwrite" in record));
});

Deno.test("POST accounts keeps a refresh token that the verification rotated", async () => {
  await using admin = await AdminFixture.start();
  admin.tokenEndpoint.once({
    body: { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "rotated" },
  });
  assert.equal((await admin.call("POST", "/admin/accounts", { body: anna })).status, 201);
  assert.equal((await admin.fileRecords())[0].refresh_token, "rotated");
});

Deno.test("POST accounts asks nobody when verify is false", async () => {
  await using admin = await AdminFixture.start();
  const body = { ...anna, verify: false, refresh_token: "" };
  assert.equal((await admin.call("POST", "/admin/accounts", { body })).status, 201);
  assert.equal(admin.tokenEndpoint.requestCount, 0);
  assert.equal((await admin.fileRecords())[0].refresh_token, undefined);
});

Deno.test("POST accounts keeps fields that only the operator knows", async () => {
  await using admin = await AdminFixture.start();
  const body = { ...anna, vmta_name: "v1", _comment: "ours", cost_center: 7 };
  assert.equal((await admin.call("POST", "/admin/accounts", { body })).status, 201);
  const [record] = await admin.fileRecords();
  assert.deepEqual([record.vmta_name, record._comment, record.cost_center], ["v1", "ours", 7]);
});

Deno.test("POST accounts names every bad field at once", async () => {
  await using admin = await AdminFixture.start();
  const body = {
    email: "nobody",
    provider: "gmial",
    client_id: 7,
    oauth_token_url: "http://example.com/token",
    limits: { connections: 0 },
    refresh_tokn: "x",
    verify: "yes",
  };
  const { status, body: answer } = await admin.call("POST", "/admin/accounts", { body });
  assert.equal(status, 400);
  assert.deepEqual(answer.details.map(({ path }: { path: string }) => path).sort(), [
    "client_id",
    "email",
    "limits.connections",
    "oauth_token_url",
    "provider",
    "refresh_token",
    "refresh_tokn",
    "verify",
  ]);
  const hints = new Map(answer.details.map(({ path, hint }: Record<string, string>) => [path, hint]));
  assert.match(String(hints.get("refresh_tokn")), /refresh_token/);
  assert.match(String(hints.get("provider")), /gmail/);
  assert.equal(admin.tokenEndpoint.requestCount, 0);
});

Deno.test("POST accounts adds an account whose grant is being verified at a stop", async () => {
  await using admin = await AdminFixture.start();
  const gate = Promise.withResolvers<void>();
  const rotated = { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "rotated" };
  admin.tokenEndpoint.once({ until: gate.promise, then: { body: rotated } });
  const added = admin.call("POST", "/admin/accounts", { body: anna });
  await admin.tokenEndpoint.waitForRequests(1);
  const closed = admin.server.close();
  gate.resolve();
  assert.equal((await added).status, 201);
  await closed;
  assert.equal((await admin.fileRecords())[0].refresh_token, "rotated");
});

Deno.test("POST accounts names slips inside a section, and keeps what is none", async () => {
  await using admin = await AdminFixture.start();
  const sections = { connection_settings: { max_connections_per_acount: 1 }, retry: { max_atempts: 2 } };
  const slips = await admin.call("POST", "/admin/accounts", { body: { ...anna, ...sections } });
  assert.equal(slips.status, 400, slips.text);
  assert.deepEqual(slips.body.details.map(({ path, hint }: Record<string, string>) => [path, hint]), [
    ["connection_settings.max_connections_per_acount", 'did you mean "max_connections_per_account"?'],
    ["retry.max_atempts", 'did you mean "max_attempts"?'],
  ]);
  const own = { connection_settings: { max_connections_per_account: 1, _why: "x", rack: 7 } };
  assert.equal((await admin.call("POST", "/admin/accounts", { body: { ...anna, ...own } })).status, 201);
  assert.deepEqual((await admin.fileRecords())[0].connection_settings, own.connection_settings);
});

Deno.test("POST accounts names fields that are missing", async () => {
  await using admin = await AdminFixture.start();
  const { status, body } = await admin.call("POST", "/admin/accounts", { body: {} });
  assert.equal(status, 400);
  const paths = body.details.map(({ path, message }: Record<string, string>) => `${path}: ${message}`);
  for (const path of ["email", "provider", "client_id", "refresh_token"]) {
    assert.ok(paths.some((line: string) => line.startsWith(`${path}: is missing`)), path);
  }
});

Deno.test("POST accounts reads 409 for one that exists, and doesn't ask for a token", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const answer = await admin.call("POST", "/admin/accounts", { body: newAccount("ANNA@example.com") });
  assert.equal(answer.status, 409);
  assert.equal(admin.tokenEndpoint.requestCount, 0);
});

Deno.test("POST accounts reads 400 for a user name that another account has, and doesn't ask for a token", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const body = newAccount("bert@example.com", { username: "ANNA@example.com" });
  const answer = await admin.call("POST", "/admin/accounts", { body });
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.body.details.map(({ path }: { path: string }) => path), ["username"]);
  assert.equal(admin.tokenEndpoint.requestCount, 0);
});

Deno.test("POST accounts with overwrite replaces, and keeps the password", async () => {
  await using admin = await AdminFixture.start();
  await admin.call("POST", "/admin/accounts", { body: { ...anna, password: "pa55" } });
  const body = newAccount("anna@example.com", { overwrite: true });
  const answer = await admin.call("POST", "/admin/accounts", { body });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.account.has_client_secret, false);
  assert.equal(answer.body.account.has_password, true);
  assert.equal((await admin.fileRecords()).length, 1);
});

Deno.test("POST accounts with overwrite keeps a password that came while the grant was verified", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const gate = Promise.withResolvers<void>();
  admin.tokenEndpoint.once({
    until: gate.promise,
    then: { body: { access_token: "t", token_type: "Bearer", expires_in: 3600 } },
  });
  const overwritten = admin.call("POST", "/admin/accounts", { body: { ...anna, overwrite: true } });
  await admin.tokenEndpoint.waitForRequests(1);
  const patched = await admin.call("PATCH", "/admin/accounts/anna@example.com", {
    body: { password: "pa55" },
  });
  gate.resolve();
  assert.deepEqual([patched.status, (await overwritten).status], [200, 200]);
  assert.ok(await verifyPassword("pa55", (await admin.fileRecords())[0].password_hash ?? ""));
});

Deno.test("POST accounts reads 500 while the accounts file can't be written, and doesn't ask for a token", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  await Deno.chmod(admin.services.settings.accountsFile, 0o400);
  const answer = await admin.call("POST", "/admin/accounts", { body: { ...anna, overwrite: true } });
  assert.equal(answer.status, 500);
  assert.match(answer.body.error, /Cannot write .*accounts\.json.*read-only/);
  assert.equal(admin.tokenEndpoint.requestCount, 0);
});

Deno.test("POST accounts reads 422 when the provider refuses the grant, and saves nothing", async () => {
  await using admin = await AdminFixture.start();
  admin.tokenEndpoint.once(refusal);
  const { status, body, text } = await admin.call("POST", "/admin/accounts", { body: anna });
  assert.equal(status, 422);
  assert.match(body.error, /invalid_grant\. Authorize the account again/);
  assert.ok(!text.includes("s3cret"));
  assert.deepEqual(await admin.fileRecords(), []);
});

Deno.test("POST accounts reads 502 when the provider can't be asked", async () => {
  await using admin = await AdminFixture.start();
  admin.tokenEndpoint.once("reset");
  const { status, body } = await admin.call("POST", "/admin/accounts", { body: anna });
  assert.equal(status, 502);
  assert.match(
    body.error,
    /token endpoint 127\.0\.0\.1:\d+ can't be reached: connection (reset|closed)\. Check the network/,
  );
});

Deno.test("a verification that is under way when the server closes reads 503", async () => {
  const admin = await AdminFixture.start();
  admin.tokenEndpoint.always("hang");
  const answer = admin.call("POST", "/admin/accounts", { body: anna });
  await admin.tokenEndpoint.waitForRequests(1);
  const closed = admin[Symbol.asyncDispose]();
  assert.deepEqual([(await answer).status, (await answer).body.success], [503, false]);
  await closed;
});

Deno.test("GET accounts shows all of them and no secret", async () => {
  const hash = "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  await using admin = await AdminFixture.start({ accounts: [{ ...anna, password_hash: hash }] });
  const { status, body, text } = await admin.call("GET", "/admin/accounts");
  assert.equal(status, 200);
  assert.equal(body.success, true);
  assert.equal(body.total_accounts, 1);
  assert.equal(body.accounts[0].email, anna.email);
  for (const secret of ["s3cret", String(anna.refresh_token), "scrypt"]) assert.ok(!text.includes(secret));
});

Deno.test("GET one account takes any case, and an encoded path", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount("anna+x@example.com")] });
  const answer = await admin.call("GET", `/admin/accounts/${encodeURIComponent("Anna+X@example.com")}`);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.account.email, "anna+x@example.com");
});

for (
  const [method, path] of [["GET", ""], ["PATCH", ""], ["DELETE", ""], ["POST", "/verify"], [
    "POST",
    "/authorize",
  ]]
) {
  Deno.test(`${method} reads 404 for an account that isn't there: ${path || "itself"}`, async () => {
    await using admin = await AdminFixture.start();
    const answer = await admin.call(method!, `/admin/accounts/nobody@example.com${path}`, {
      ...(method === "PATCH" && { body: { scope: "x" } }),
    });
    assert.equal(answer.status, 404);
    assert.match(answer.body.error, /no such account/);
  });
}

Deno.test("PATCH changes, removes and hashes what it names", async () => {
  await using admin = await AdminFixture.start({ accounts: [{ ...anna, scope: "old", note: 1 }] });
  const body = { scope: null, username: "anna", password: "pa55", limits: { connections: 2 } };
  const { status, body: answer } = await admin.call("PATCH", "/admin/accounts/anna@example.com", { body });
  assert.equal(status, 200);
  assert.equal(answer.account.username, "anna");
  const [record] = await admin.fileRecords();
  assert.equal(record.scope, undefined);
  assert.equal(record.note, 1);
  assert.deepEqual(record.limits, { connections: 2 });
  assert.ok(await verifyPassword("pa55", record.password_hash));
  assert.equal(admin.services.store.byUsername("ANNA")?.email, "anna@example.com");
  assert.equal(admin.changes, 1);
});

const badPatches: readonly [name: string, body: Record<string, unknown>, path: string][] = [
  ["a wrong value", { limits: { connections: "2" } }, "limits.connections"],
  ["an unknown provider", { provider: "gmial" }, "provider"],
  ["a slip", { usernam: "x" }, "usernam"],
  ["a slip inside a section", { limits: { conections: 2 } }, "limits.conections"],
  ["a name that another has", { username: "bert@example.com" }, "username"],
  ["an e-mail that another has", { email: "bert@example.com", username: "x" }, "email"],
  ["a required field removed", { client_id: null }, "client_id"],
  ["a grant without its key", { grant: "service_account" }, "private_key_file"],
];

for (const [name, body, path] of badPatches) {
  Deno.test(`PATCH reads 400 for ${name}, and changes nothing`, async () => {
    const accounts = [anna, newAccount("bert@example.com")];
    await using admin = await AdminFixture.start({ accounts });
    const answer = await admin.call("PATCH", "/admin/accounts/anna@example.com", { body });
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.body.details.map((detail: { path: string }) => detail.path), [path]);
    assert.deepEqual(await admin.fileRecords(), accounts);
  });
}

Deno.test("PATCH names a slip together with a wrong value", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const body = { usernam: "x", limits: { connections: "2" } };
  const answer = await admin.call("PATCH", "/admin/accounts/anna@example.com", { body });
  const paths = answer.body.details.map((detail: { path: string }) => detail.path);
  assert.deepEqual(paths.sort(), ["limits.connections", "usernam"]);
});

Deno.test("PATCH of the e-mail keeps the refresh token of a refresh under way", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount("a@example.com")] });
  const { store, tokens } = admin.services;
  const gate = Promise.withResolvers<void>();
  let current = "grant-of-a@example.com";
  admin.tokenEndpoint.always(({ form }) => {
    if (form.get("refresh_token") !== current) return { status: 400, body: { error: "invalid_grant" } };
    current += "-next";
    const answer = {
      body: { access_token: current, token_type: "Bearer", expires_in: 3600, refresh_token: current },
    };
    return admin.tokenEndpoint.requestCount === 1 ? { until: gate.promise, then: answer } : answer;
  });
  const signal = new AbortController().signal;
  const waiting = tokens.for(store.get("a@example.com")!).get(signal);
  await admin.tokenEndpoint.waitForRequests(1);
  const body = { email: "b@example.com" };
  assert.equal((await admin.call("PATCH", "/admin/accounts/a@example.com", { body })).status, 200);
  gate.resolve();
  await waiting;
  await tokens.for(store.get("b@example.com")!).get(signal);
  const [{ email, refresh_token }] = await admin.fileRecords();
  assert.deepEqual([email, refresh_token], ["b@example.com", current]);
});

Deno.test("PATCH of nothing reads 400", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  assert.equal((await admin.call("PATCH", "/admin/accounts/anna@example.com", { body: {} })).status, 400);
});

Deno.test("DELETE removes one account", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna, newAccount("bert@example.com")] });
  const answer = await admin.call("DELETE", "/admin/accounts/Anna@Example.com");
  assert.deepEqual([answer.status, answer.body], [200, { success: true, email: "anna@example.com" }]);
  assert.deepEqual((await admin.fileRecords()).map(({ email }) => email), ["bert@example.com"]);
  assert.equal(admin.changes, 1);
});

Deno.test("DELETE of all accounts wants a confirmation", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna, newAccount("bert@example.com")] });
  for (const query of ["", "?confirm=false", "?confirm"]) {
    assert.equal((await admin.call("DELETE", `/admin/accounts${query}`)).status, 400);
  }
  const answer = await admin.call("DELETE", "/admin/accounts?confirm=true");
  assert.deepEqual([answer.status, answer.body.removed], [200, 2]);
  assert.deepEqual(await admin.fileRecords(), []);
});

Deno.test("DELETE of all accounts forgets them all although one of them can't be removed", async () => {
  const bert = newAccount("bert@example.com");
  await using admin = await AdminFixture.start({ accounts: [anna, bert] });
  const { store, tokens, settings } = admin.services;
  tokens.for(store.get("bert@example.com")!);
  await Deno.writeTextFile(settings.accountsFile, JSON.stringify([bert]));
  const answer = await admin.call("DELETE", "/admin/accounts?confirm=true");
  assert.deepEqual([answer.status, await admin.fileRecords()], [404, []]);
  assert.match(answer.body.error, /anna@example\.com/);
  assert.equal(tokens.find("bert@example.com"), undefined);
});

Deno.test("DELETE invalid removes what the provider calls invalid, and nothing else", async () => {
  const emails = ["good", "revoked", "unreachable", "wrong-secret"].map((name) => `${name}@example.com`);
  await using admin = await AdminFixture.start({ accounts: emails.map((email) => newAccount(email)) });
  admin.tokenEndpoint.always(({ form }) => {
    const grant = form.get("refresh_token") ?? "";
    if (grant.includes("revoked")) return refusal;
    if (grant.includes("unreachable")) return "reset";
    if (grant.includes("wrong-secret")) return { status: 401, body: { error: "invalid_client" } };
    return { body: { access_token: "t", token_type: "Bearer", expires_in: 3600 } };
  });
  const { status, body } = await admin.call("DELETE", "/admin/accounts/invalid");
  assert.equal(status, 200);
  assert.equal(body.checked, 4);
  assert.deepEqual(body.removed, ["revoked@example.com"]);
  assert.deepEqual(body.kept.map(({ email }: { email: string }) => email).sort(), [
    "unreachable@example.com",
    "wrong-secret@example.com",
  ]);
  assert.equal((await admin.fileRecords()).length, 3);
});

Deno.test("DELETE invalid tells of a rotated token while other accounts are still being asked about", async () => {
  const slow = newAccount("slow@example.com");
  await using admin = await AdminFixture.start({ accounts: [anna, slow] });
  const { store, tokens } = admin.services;
  const manager = tokens.for(store.get("anna@example.com")!);
  const gate = Promise.withResolvers<void>();
  const granted = { access_token: "t", token_type: "Bearer", expires_in: 3600 };
  admin.tokenEndpoint.always(({ form }) => {
    const grant = form.get("refresh_token");
    if (grant === slow.refresh_token) return { until: gate.promise, then: { body: granted } };
    return { body: { ...granted, ...(grant === anna.refresh_token && { refresh_token: "rotated" }) } };
  });
  const { rotateRefreshToken } = store;
  const rotated = Promise.withResolvers<void>();
  store.rotateRefreshToken = async (...rotation) => {
    await rotateRefreshToken.apply(store, rotation);
    rotated.resolve();
  };
  const answer = admin.call("DELETE", "/admin/accounts/invalid");
  await rotated.promise;
  // The call goes on from here in turns of its own.
  await new Promise((resolve) => setTimeout(resolve));
  await manager.get(new AbortController().signal);
  assert.equal(admin.tokenEndpoint.requests.at(-1)?.form.get("refresh_token"), "rotated");
  gate.resolve();
  assert.deepEqual((await answer).body.removed, []);
});

Deno.test("DELETE invalid forgets what it removes although the removal of another account fails", async () => {
  const bert = newAccount("bert@example.com");
  await using admin = await AdminFixture.start({ accounts: [anna, bert] });
  const { store, tokens } = admin.services;
  tokens.for(store.get("bert@example.com")!);
  const failed = Promise.withResolvers<void>();
  admin.tokenEndpoint.always(({ form }) =>
    form.get("refresh_token") === bert.refresh_token ? { until: failed.promise, then: refusal } : refusal
  );
  const { remove } = store;
  store.remove = async (email) => {
    if (email !== "anna@example.com") return await remove.call(store, email);
    failed.resolve();
    throw new Error("no space left");
  };
  assert.equal((await admin.call("DELETE", "/admin/accounts/invalid")).status, 500);
  assert.equal(store.get("bert@example.com"), undefined);
  assert.equal(tokens.find("bert@example.com"), undefined);
});

const passing: readonly [name: string, answer: TokenAnswer][] = [
  ["503", { status: 503, body: { error: "invalid_grant" } }],
  ["429", { status: 429, body: { error: "invalid_grant" } }],
  ["a code that passes", { status: 400, body: { error: "invalid_grant", error_codes: [90033] } }],
];

for (const [name, answer] of passing) {
  Deno.test(`DELETE invalid keeps accounts when invalid_grant comes with ${name}`, async () => {
    await using admin = await AdminFixture.start({ accounts: [anna] });
    admin.tokenEndpoint.always(answer);
    const { status, body } = await admin.call("DELETE", "/admin/accounts/invalid");
    assert.deepEqual([status, body.removed, body.kept.length], [200, [], 1]);
    assert.equal((await admin.fileRecords()).length, 1);
  });
}

/** Refresh tokens that are good for one request each, whose answers come when `until` resolves. */
function rotateOnce({ tokenEndpoint }: AdminFixture, { until }: { readonly until: Promise<unknown> }): void {
  let current = anna.refresh_token;
  tokenEndpoint.always(({ form }) => {
    if (form.get("refresh_token") !== current) return refusal;
    current = `${current}+`;
    const body = { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: current };
    return { until, then: { body } };
  });
}

Deno.test("DELETE invalid keeps an account whose refresh under way has used the grant up", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const gate = Promise.withResolvers<void>();
  rotateOnce(admin, { until: gate.promise });
  const { store, tokens } = admin.services;
  const refreshed = tokens.for(store.list()[0]!).get(new AbortController().signal);
  await admin.tokenEndpoint.waitForRequests(1);
  const deleted = admin.call("DELETE", "/admin/accounts/invalid");
  // Connections are served in order, so the removal is under way when this one is answered.
  await admin.call("GET", "/admin/accounts");
  gate.resolve();
  const { body } = await deleted;
  await refreshed;
  assert.deepEqual([body.checked, body.removed, body.kept], [1, [], []]);
  // Refresh, then a probe with the grant that the refresh brought.
  assert.equal(admin.tokenEndpoint.requestCount, 2);
  assert.equal((await admin.fileRecords())[0].refresh_token, `${anna.refresh_token}++`);
});

Deno.test("DELETE invalid keeps an account that has an access token", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const { store, tokens } = admin.services;
  await tokens.for(store.list()[0]!).get(new AbortController().signal);
  admin.tokenEndpoint.always(refusal);
  const { body } = await admin.call("DELETE", "/admin/accounts/invalid");
  assert.deepEqual([body.removed, body.kept.length], [[], 1]);
});

Deno.test("an account that a listener names stays, and keeps its e-mail", async () => {
  const listener = { port: 0, account: anna.email.toUpperCase(), allowed_clients: ["127.0.0.1"] };
  await using admin = await AdminFixture.start({ accounts: [anna], listeners: [{ port: 0 }, listener] });
  const path = `/admin/accounts/${anna.email}`;
  for (
    const answer of [
      await admin.call("DELETE", path),
      await admin.call("PATCH", path, { body: { email: "b@example.com" } }),
      await admin.call("DELETE", "/admin/accounts?confirm=true"),
    ]
  ) {
    assert.equal(answer.status, 409);
    assert.match(answer.body.error, /listeners\[1\]\.account names it; change that in config\.json/);
  }
  admin.tokenEndpoint.always(refusal);
  const { body } = await admin.call("DELETE", "/admin/accounts/invalid");
  assert.deepEqual([body.removed, body.kept.length], [[], 1]);
  assert.equal((await admin.call("PATCH", path, { body: { vmta_name: "v" } })).status, 200);
  assert.equal((await admin.fileRecords()).length, 1);
});

Deno.test("DELETE invalid twice at a time keeps an account whose grant the first has used up", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  const gate = Promise.withResolvers<void>();
  rotateOnce(admin, { until: gate.promise });
  const first = admin.call("DELETE", "/admin/accounts/invalid");
  await admin.tokenEndpoint.waitForRequests(1);
  const second = admin.call("DELETE", "/admin/accounts/invalid");
  // Connections are served in order, so the second call is under way when this one is answered.
  await admin.call("GET", "/admin/accounts");
  gate.resolve();
  for (const { body } of await Promise.all([first, second])) {
    assert.deepEqual([body.checked, body.removed, body.kept], [1, [], []]);
  }
  assert.equal((await admin.fileRecords()).length, 1);
});

Deno.test("an accounts file that is empty all of a sudden reads 503 and says so", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  await Deno.writeTextFile(admin.services.settings.accountsFile, "");
  const body = { ...anna, email: "bert@example.com", verify: false };
  const answer = await admin.call("POST", "/admin/accounts", { body });
  assert.equal(answer.status, 503);
  assert.match(answer.body.error, /accounts\.json: is empty or not there any more/);
});

Deno.test("an accounts file that can't be written reads 500 and says so", async () => {
  await using admin = await AdminFixture.start({ accounts: [anna] });
  await Deno.chmod(admin.services.settings.accountsFile, 0o400);
  const answer = await admin.call("DELETE", "/admin/accounts/anna@example.com");
  assert.equal(answer.status, 500);
  assert.match(answer.body.error, /Cannot write .*accounts\.json.*read-only/);
});

Deno.test("a failure that nobody foresaw reads 500 without its text", async () => {
  await using admin = await AdminFixture.start({
    context: { status: () => Promise.reject(new Error("s3cret detail")) },
  });
  const answer = await admin.call("GET", "/admin/status");
  assert.equal(answer.status, 500);
  assert.ok(!answer.text.includes("s3cret"));
});

Deno.test("accounts that would share a name are refused before their grants are spent", async () => {
  await using admin = await AdminFixture.start();
  const answered = Promise.withResolvers<void>();
  const body = { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "rotated" };
  admin.tokenEndpoint.always({ until: answered.promise, then: { body } });
  const add = (email: string, more: Readonly<Record<string, unknown>> = {}) =>
    admin.call("POST", "/admin/accounts", { body: newAccount(email, { refresh_token: "r", ...more }) });
  const first = add("a@example.com", { username: "sender" });
  await admin.tokenEndpoint.waitForRequests(1);
  for (const again of [add("A@example.com"), add("b@example.com", { username: "Sender" })]) {
    const { status, text } = await again;
    assert.equal(status, 409, text);
    assert.match(text, /is being added/);
  }
  answered.resolve();
  assert.equal((await first).status, 201);
  assert.equal(admin.tokenEndpoint.requestCount, 1);
  assert.equal((await admin.fileRecords())[0].refresh_token, "rotated");
});

Deno.test("PATCH refuses what only the adding of an account takes", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount("a@example.com")] });
  const before = await admin.fileRecords();
  const { status, body } = await admin.call("PATCH", "/admin/accounts/a@example.com", {
    body: { verify: true },
  });
  assert.equal(status, 400);
  assert.equal(body.details[0].path, "verify");
  assert.deepEqual(await admin.fileRecords(), before);
});
