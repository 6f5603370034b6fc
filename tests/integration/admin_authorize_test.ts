import assert from "node:assert/strict";
import type { TokenRequest } from "../support/token_endpoint.ts";
import { AdminFixture, newAccount } from "./admin_fixture.ts";

const path = "/admin/accounts/a@example.com/authorize";
const grants = {
  body: { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "granted-by-user" },
};
const device = {
  body: {
    device_code: "device-secret",
    user_code: "ABCD-EFGH",
    verification_uri: "https://provider.example/device",
    expires_in: 900,
    interval: 0.01,
  },
};

function start(more: Readonly<Record<string, unknown>> = {}) {
  return AdminFixture.start({ accounts: [newAccount("a@example.com", { refresh_token: "old", ...more })] });
}

async function begin(admin: AdminFixture): Promise<{ url: URL; callback: (code?: string) => string }> {
  const { status, body, text } = await admin.call("POST", path);
  assert.equal(status, 201, text);
  const url = new URL(body.authorization_url);
  const state = url.searchParams.get("state");
  return { url, callback: (code = "the-code") => `/oauth/callback?code=${code}&state=${state}` };
}

/** As the browser comes: without a token. */
function comeBack(admin: AdminFixture, target: string) {
  return admin.call("GET", target, { headers: { authorization: "" } });
}

Deno.test("authorize sends the browser out with PKCE and state", async () => {
  await using admin = await start();
  const { url } = await begin(admin);
  const parameters = Object.fromEntries(url.searchParams);
  assert.equal(url.origin, new URL(admin.tokenEndpoint.url).origin);
  assert.equal(parameters["client_id"], "app");
  assert.equal(parameters["code_challenge_method"], "S256");
  assert.equal(parameters["login_hint"], "a@example.com");
  assert.equal(parameters["redirect_uri"], `${admin.url}/oauth/callback`);
  assert.ok((parameters["state"] ?? "").length > 20);
});

Deno.test("the callback finishes an authorization, and its grant is on disk and live", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  assert.equal((await admin.call("GET", path)).body.state, "pending");
  admin.tokenEndpoint.once(grants);
  const answer = await comeBack(admin, callback());
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(answer.text, /a@example\.com can send now/);
  const { form } = admin.tokenEndpoint.requests[0]!;
  assert.equal(form.get("code"), "the-code");
  assert.ok((form.get("code_verifier") ?? "").length >= 43);
  assert.equal((await admin.fileRecords())[0].refresh_token, "granted-by-user");
  assert.equal(admin.services.store.get("a@example.com")?.refreshToken, "granted-by-user");
  assert.equal(admin.changes, 1);
  assert.equal((await admin.call("GET", path)).body.state, "authorized");
});

Deno.test("an authorization whose grant couldn't be kept isn't begun, and one under way keeps its code for later", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  const file = admin.services.settings.accountsFile;
  await Deno.chmod(file, 0o400);
  assert.equal((await admin.call("POST", path)).status, 500);
  const unkept = await comeBack(admin, callback());
  assert.equal(unkept.status, 503);
  assert.match(unkept.text, /tell the administrator/);
  assert.ok(!unkept.text.includes(file));
  assert.equal(admin.tokenEndpoint.requestCount, 0);
  await Deno.chmod(file, 0o600);
  admin.tokenEndpoint.once(grants);
  assert.equal((await comeBack(admin, callback())).status, 200);
  assert.equal((await admin.fileRecords())[0].refresh_token, "granted-by-user");
});

Deno.test("a state works once", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  admin.tokenEndpoint.once(grants);
  assert.equal((await comeBack(admin, callback())).status, 200);
  assert.equal((await comeBack(admin, callback())).status, 400);
  assert.equal(admin.tokenEndpoint.requestCount, 1);
});

Deno.test("a state works once even when the exchange fails", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  admin.tokenEndpoint.once({ status: 400, body: { error: "invalid_grant" } });
  assert.equal((await comeBack(admin, callback("wrong"))).status, 400);
  assert.equal((await comeBack(admin, callback())).status, 400);
  assert.equal(admin.tokenEndpoint.requestCount, 1);
  assert.equal((await admin.fileRecords())[0].refresh_token, "old");
  const { body } = await admin.call("GET", path);
  assert.deepEqual([body.state, typeof body.remedy], ["failed", "string"]);
});

Deno.test("a state works once even when it comes twice at the same time", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  const exchange = Promise.withResolvers<void>();
  admin.tokenEndpoint.once({ until: exchange.promise, then: grants });
  const first = comeBack(admin, callback());
  await admin.tokenEndpoint.waitForRequests(1);
  assert.equal((await comeBack(admin, callback())).status, 400);
  exchange.resolve();
  assert.equal((await first).status, 200);
  assert.equal(admin.tokenEndpoint.requestCount, 1);
});

Deno.test("starting again makes the earlier state worthless", async () => {
  await using admin = await start();
  const first = await begin(admin);
  const second = await begin(admin);
  admin.tokenEndpoint.always(grants);
  assert.equal((await comeBack(admin, first.callback())).status, 400);
  assert.equal((await comeBack(admin, second.callback())).status, 200);
});

for (const query of ["", "?state=", "?state=guess&code=x", "?code=x", "?error=access_denied"]) {
  Deno.test(`a callback that nobody waits for reads 400: ${query || "bare"}`, async () => {
    await using admin = await start();
    await begin(admin);
    assert.equal((await comeBack(admin, `/oauth/callback${query}`)).status, 400);
    assert.equal(admin.tokenEndpoint.requestCount, 0);
  });
}

Deno.test("a refusal by the user is told in the page, without markup of others", async () => {
  await using admin = await start();
  const { url } = await begin(admin);
  const state = url.searchParams.get("state");
  const answer = await comeBack(admin, `/oauth/callback?error=access_denied%3Cscript%3E&state=${state}`);
  assert.equal(answer.status, 400);
  assert.match(answer.text, /Authorize again, sign in as the mailbox/);
  assert.ok(!answer.text.includes("<script"));
});

Deno.test("a grant without a refresh token is refused with the remedy", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  admin.tokenEndpoint.once({ body: { access_token: "t", token_type: "Bearer", expires_in: 3600 } });
  const answer = await comeBack(admin, callback());
  assert.equal(answer.status, 400);
  assert.match(answer.text, /offline_access/);
});

Deno.test("an authorization expires", async () => {
  let nowMs = 1_000_000;
  await using admin = await AdminFixture.start({
    accounts: [newAccount("a@example.com")],
    context: { now: () => nowMs },
  });
  const { callback } = await begin(admin);
  nowMs += 600_001;
  assert.equal((await comeBack(admin, callback())).status, 400);
  assert.equal((await admin.call("GET", path)).body.state, "failed");
});

Deno.test("pending authorizations are bounded", async () => {
  const accounts = Array.from({ length: 101 }, (_, number) => newAccount(`u${number}@example.com`));
  await using admin = await AdminFixture.start({ accounts });
  const statuses = [];
  for (const { email } of accounts) {
    statuses.push((await admin.call("POST", `/admin/accounts/${email}/authorize`)).status);
  }
  assert.deepEqual(statuses, [...Array(100).fill(201), 429]);
});

Deno.test("pending authorizations are bounded when all start at the same time", async () => {
  const accounts = Array.from({ length: 101 }, (_, number) => newAccount(`u${number}@example.com`));
  await using admin = await AdminFixture.start({ accounts });
  const answers = Promise.withResolvers<void>();
  admin.tokenEndpoint.always((request) =>
    request.path === "/device"
      ? { until: answers.promise, then: device }
      : { status: 400, body: { error: "authorization_pending" } }
  );
  const started = Promise.all(accounts.map(async ({ email }) => {
    const body = { method: "device_code" };
    return (await admin.call("POST", `/admin/accounts/${email}/authorize`, { body })).status;
  }));
  await admin.tokenEndpoint.waitForRequests(100);
  answers.resolve();
  assert.deepEqual((await started).toSorted(), [...Array(100).fill(201), 429]);
});

/** Removes the account, and adds it with the app of another client. */
async function addAnew(admin: AdminFixture, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await admin.call("DELETE", "/admin/accounts/a@example.com");
  const body = newAccount("a@example.com", { client_id: "another", verify: false, ...more });
  assert.equal((await admin.call("POST", "/admin/accounts", { body })).status, 201);
}

Deno.test("an authorization ends with its account, even if that is added anew", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  admin.tokenEndpoint.always(grants);
  await addAnew(admin, { client_id: "app", refresh_token: "new" });
  assert.equal((await admin.call("GET", path)).body.state, "none");
  assert.equal((await comeBack(admin, callback())).status, 400);
  assert.equal(admin.tokenEndpoint.requestCount, 0);
  assert.equal((await admin.fileRecords())[0].refresh_token, "new");
});

Deno.test("an authorization whose code is being exchanged ends with its account", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  const exchange = Promise.withResolvers<void>();
  admin.tokenEndpoint.once({ until: exchange.promise, then: grants });
  const back = comeBack(admin, callback());
  await admin.tokenEndpoint.waitForRequests(1);
  await addAnew(admin, { refresh_token: "new" });
  exchange.resolve();
  const { status, text } = await back;
  assert.equal(status, 400);
  assert.match(text, /removed or has another app now/);
  assert.equal((await admin.fileRecords())[0].refresh_token, "new");
});

for (
  const change of [{ client_id: "another" }, { provider: "gmail" }, { oauth_token_url: "https://x.example/" }]
) {
  Deno.test(`an authorization ends when its account gets another ${Object.keys(change)[0]}`, async () => {
    await using admin = await start();
    const { callback } = await begin(admin);
    admin.tokenEndpoint.always(grants);
    const changed = await admin.call("PATCH", "/admin/accounts/a@example.com", { body: change });
    assert.equal(changed.status, 200, changed.text);
    assert.equal((await comeBack(admin, callback())).status, 400);
    assert.equal((await admin.fileRecords())[0].refresh_token, "old");
  });
}

Deno.test("an authorization goes on when its account gets another password", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  await admin.call("PATCH", "/admin/accounts/a@example.com", { body: { password: "x" } });
  admin.tokenEndpoint.once(grants);
  assert.equal((await comeBack(admin, callback())).status, 200);
});

Deno.test("an authorization notices that a reload has given its account another app", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  admin.tokenEndpoint.always(grants);
  const { store, settings } = admin.services;
  const records = [newAccount("a@example.com", { client_id: "another", refresh_token: "new" })];
  await Deno.writeTextFile(settings.accountsFile, JSON.stringify(records));
  await store.reload();
  assert.equal((await comeBack(admin, callback())).status, 400);
  assert.equal((await admin.fileRecords())[0].refresh_token, "new");
});

Deno.test("how an authorization went is forgotten with its account", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  admin.tokenEndpoint.once(grants);
  assert.equal((await comeBack(admin, callback())).status, 200);
  await addAnew(admin, { client_id: "app", refresh_token: undefined });
  assert.equal((await admin.call("GET", path)).body.state, "none");
});

Deno.test("a device code ends with its account", async () => {
  await using admin = await start();
  const poll = Promise.withResolvers<void>();
  admin.tokenEndpoint.always((request: TokenRequest) =>
    request.path === "/device" ? device : { until: poll.promise, then: grants }
  );
  assert.equal((await admin.call("POST", path, { body: { method: "device_code" } })).status, 201);
  await admin.tokenEndpoint.waitForRequests(2);
  await addAnew(admin, { refresh_token: "new" });
  assert.equal((await admin.call("GET", path)).body.state, "none");
  poll.resolve();
  await admin.call("GET", path);
  assert.equal((await admin.fileRecords())[0].refresh_token, "new");
});

Deno.test("authorize by device code reads 409 when the account is removed meanwhile", async () => {
  await using admin = await start();
  const answer = Promise.withResolvers<void>();
  admin.tokenEndpoint.once({ until: answer.promise, then: device });
  const started = admin.call("POST", path, { body: { method: "device_code" } });
  await admin.tokenEndpoint.waitForRequests(1);
  await addAnew(admin);
  answer.resolve();
  assert.equal((await started).status, 409);
  assert.equal((await admin.call("GET", path)).body.state, "none");
});

Deno.test("a device code that the endpoint never answers for fails at its end", async () => {
  await using admin = await start();
  admin.tokenEndpoint.always((request: TokenRequest) =>
    request.path === "/device" ? { body: { ...device.body, expires_in: 1.2 } } : "hang"
  );
  assert.equal((await admin.call("POST", path, { body: { method: "device_code" } })).status, 201);
  let state;
  do state = (await admin.call("GET", path)).body; while (state.state === "pending");
  assert.deepEqual([state.state, state.error.includes("expired")], ["failed", true]);
});

const faulty: readonly [name: string, body: unknown][] = [
  ["an unknown method", { method: "telepathy" }],
  ["a redirect in clear", { redirect_uri: "http://example.com/callback" }],
  ["no URL", { redirect_uri: 7 }],
  ["a misspelled field", { metod: "device_code" }],
];

for (const [name, body] of faulty) {
  Deno.test(`authorize with ${name} reads 400`, async () => {
    await using admin = await start();
    const answer = await admin.call("POST", path, { body });
    assert.equal(answer.status, 400);
    assert.equal(answer.body.details.length, 1);
  });
}

Deno.test("authorize takes the redirect address that is registered with the app", async () => {
  await using admin = await start();
  const body = { redirect_uri: "https://proxy.example.com/oauth/callback" };
  const answer = await admin.call("POST", path, { body });
  const sent = new URL(answer.body.authorization_url).searchParams.get("redirect_uri");
  assert.equal(sent, body.redirect_uri);
});

Deno.test("authorize reads 400 for an account that no user authorizes", async () => {
  await using admin = await start({ grant: "client_credentials", client_secret: "x" });
  const answer = await admin.call("POST", path);
  assert.equal(answer.status, 400);
  assert.match(answer.body.error, /client_credentials/);
});

Deno.test("a device code is polled for until the user is done", async () => {
  await using admin = await start();
  const saved = Promise.withResolvers<void>();
  admin.tokenEndpoint.always((request: TokenRequest) => {
    if (request.path === "/device") return device;
    if (admin.tokenEndpoint.requestCount < 3) {
      return { status: 400, body: { error: "authorization_pending" } };
    }
    saved.resolve();
    return grants;
  });
  const { status, body, text } = await admin.call("POST", path, { body: { method: "device_code" } });
  assert.equal(status, 201, text);
  assert.equal(body.user_code, "ABCD-EFGH");
  assert.ok(!text.includes("device-secret"));
  await saved.promise;
  while ((await admin.call("GET", path)).body.state === "pending");
  assert.equal((await admin.fileRecords())[0].refresh_token, "granted-by-user");
});

Deno.test("closing ends a device code's poll", async () => {
  const admin = await start();
  admin.tokenEndpoint.always((request: TokenRequest) =>
    request.path === "/device"
      ? { body: { ...device.body, interval: 600 } }
      : { status: 400, body: { error: "authorization_pending" } }
  );
  assert.equal((await admin.call("POST", path, { body: { method: "device_code" } })).status, 201);
  await admin[Symbol.asyncDispose]();
  assert.equal(admin.tokenEndpoint.requestCount, 1);
});

Deno.test("a stop lets a code that is being exchanged bring its grant", async () => {
  await using admin = await start();
  const { callback } = await begin(admin);
  const exchange = Promise.withResolvers<void>();
  admin.tokenEndpoint.once({ until: exchange.promise, then: grants });
  const back = comeBack(admin, callback());
  await admin.tokenEndpoint.waitForRequests(1);
  const closed = admin.server.close();
  exchange.resolve();
  assert.equal((await back).status, 200);
  await closed;
  assert.equal((await admin.fileRecords())[0].refresh_token, "granted-by-user");
});

Deno.test("authorize with a device code reads 422 when the provider refuses", async () => {
  await using admin = await start();
  admin.tokenEndpoint.once({ status: 401, body: { error: "invalid_client" } });
  const answer = await admin.call("POST", path, { body: { method: "device_code" } });
  assert.equal(answer.status, 422);
});

for (const method of ["browser", "device_code"]) {
  Deno.test(`authorize by ${method} reads 400 when the provider has no such way`, async () => {
    const provider = { authorization_url: undefined, device_authorization_url: undefined };
    await using admin = await AdminFixture.start({ accounts: [newAccount("a@example.com")], provider });
    const answer = await admin.call("POST", path, { body: { method } });
    assert.equal(answer.status, 400);
    assert.match(answer.body.error, /has no (device_)?authorization_url/);
  });
}
