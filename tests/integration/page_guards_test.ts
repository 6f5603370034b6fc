/** What the page refuses, over plain HTTP and without a browser. */

import assert from "node:assert/strict";
import { AdminFixture, adminToken } from "./admin_fixture.ts";
import { signIn, visit } from "./page_visitor.ts";

const anna = { email: "anna@example.com", provider: "test", client_id: "app", refresh_token: "grant" };
const annasPath = "/accounts/anna%40example.com";

/** Every path that changes something. */
const posts = [
  "/sign-out",
  "/accounts/new",
  `${annasPath}/verify`,
  `${annasPath}/password`,
  `${annasPath}/remove`,
  `${annasPath}/connect`,
  "/reload",
  "/stop",
];

async function start(now: () => number = Date.now, calls: string[] = []) {
  const context = {
    now,
    status: () => Promise.resolve({ accounts: [], listeners: [], openCircuits: [] } as never),
    requestStop: (reason: string) => calls.push(reason) > 0,
    reload: (reason: string) => {
      calls.push(reason);
      return Promise.resolve({ applied: true as const, difference: {}, ms: 1 });
    },
  };
  return await AdminFixture.start({ accounts: [anna], context });
}

Deno.test("the page sends its policy and headers with every answer", async () => {
  await using admin = await start();
  const { cookie } = await signIn(admin);
  const missing = "/accounts/nobody@example.com";
  for (const path of ["/", "/accounts", missing, "/messages", "/page.css", "/page.js", "/connect/none"]) {
    const { headers } = await visit(admin, path, { cookie });
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("referrer-policy"), "same-origin", path);
    assert.equal(headers.get("cache-control"), "no-store", path);
  }
});

Deno.test("the page changes nothing for whoever isn't signed in", async () => {
  const calls: string[] = [];
  await using admin = await start(Date.now, calls);
  for (const path of posts) {
    assert.equal((await visit(admin, path, { form: { csrf: "", method: "browser" } })).status, 401, path);
  }
  for (const path of ["/accounts", annasPath, "/messages", "/events", "/messages/events", "/stop"]) {
    assert.equal((await visit(admin, path)).status, 401, path);
  }
  assert.deepEqual([calls, admin.changes], [[], 0]);
});

Deno.test("the page takes a form only with its session's CSRF token", async () => {
  const calls: string[] = [];
  await using admin = await start(Date.now, calls);
  const { cookie } = await signIn(admin);
  const { csrf: another } = await signIn(admin);
  for (const path of posts) {
    for (const csrf of ["", another]) {
      assert.equal((await visit(admin, path, { cookie, form: { csrf } })).status, 403, path);
    }
  }
  assert.deepEqual([calls, admin.changes], [[], 0]);
});

Deno.test("the page takes a form only from its own origin", async () => {
  const calls: string[] = [];
  await using admin = await start(Date.now, calls);
  const { cookie, csrf } = await signIn(admin);
  const form = { csrf, token: adminToken };
  for (const path of [...posts, "/sign-in", "/connect/none"]) {
    const foreign = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: admin.url, "sec-fetch-site": "same-site" },
      { origin: admin.url, "sec-fetch-site": "cross-site" },
    ];
    for (const headers of foreign) {
      assert.equal((await visit(admin, path, { cookie, form, headers })).status, 403, path);
    }
  }
  assert.deepEqual([calls, admin.changes], [[], 0]);
  assert.equal((await visit(admin, "/reload", { cookie, form })).status, 200);
  assert.deepEqual(calls, ["the page"]);
});

Deno.test("the page takes no other body than a form, and none that is large", async () => {
  await using admin = await start();
  const { cookie, csrf } = await signIn(admin);
  const headers = { "content-type": "text/plain" };
  assert.equal((await visit(admin, "/reload", { cookie, form: { csrf }, headers })).status, 415);
  const large = { csrf, email: "x".repeat(2_000_000) };
  assert.equal((await visit(admin, "/accounts/new", { cookie, form: large })).status, 413);
});

Deno.test("the page's cookie is no key to the API, and the token no key to the page", async () => {
  await using admin = await start();
  const { cookie } = await signIn(admin);
  assert.equal((await visit(admin, "/admin/accounts", { cookie })).status, 401);
  const headers = { authorization: `Bearer ${adminToken}` };
  assert.equal((await visit(admin, "/accounts", { headers })).status, 401);
});

Deno.test("a session of the page ends with its time, and at sign-out", async () => {
  let nowMs = Date.now();
  await using admin = await start(() => nowMs);
  const { cookie, csrf } = await signIn(admin);
  nowMs += 11 * 3_600_000;
  assert.equal((await visit(admin, "/messages", { cookie })).status, 200);
  assert.equal((await visit(admin, "/sign-out", { cookie, form: { csrf } })).status, 303);
  assert.equal((await visit(admin, "/messages", { cookie })).status, 401);
  const { cookie: later } = await signIn(admin);
  nowMs += 13 * 3_600_000;
  assert.equal((await visit(admin, "/messages", { cookie: later })).status, 401);
});

Deno.test("the sign-in leads to this server only", async () => {
  await using admin = await start();
  const places = {
    "/accounts?q=x": "/accounts?q=x",
    "https://evil.example/": "/",
    "//evil.example": "/",
    "/\\evil.example": "/",
    "/.//evil.example": "/evil.example",
    "javascript:alert(1)": "/",
  };
  for (const [next, location] of Object.entries(places)) {
    const { status, headers } = await visit(admin, "/sign-in", { form: { token: adminToken, next } });
    assert.deepEqual([status, headers.get("location")], [303, location], next);
  }
});

Deno.test("the cookie is Secure where the browser speaks https with a proxy in front", async () => {
  await using admin = await start();
  const plain = await visit(admin, "/sign-in", { form: { token: adminToken } });
  assert.match(plain.headers.get("set-cookie") ?? "", /HttpOnly; SameSite=Strict$/);
  const headers = { origin: admin.url.replace("http:", "https:") };
  const secure = await visit(admin, "/sign-in", { form: { token: adminToken }, headers });
  assert.match(secure.headers.get("set-cookie") ?? "", /; Secure/);
});

Deno.test("a link for the owner opens nothing else, and expires", async () => {
  let nowMs = Date.now();
  await using admin = await start(() => nowMs);
  const { cookie, csrf } = await signIn(admin);
  const { text } = await visit(admin, `${annasPath}/connect`, { cookie, form: { csrf, method: "link" } });
  const link = /\/connect\/[\w-]{43}/.exec(text)?.[0] ?? "";
  assert.match((await visit(admin, link)).text, /anna@example.com/);
  const begun = await visit(admin, link, { form: {} });
  assert.match(begun.text, /href="http:[^"]*\/authorize\?[^"]*code_challenge_method=S256/);
  nowMs += 73 * 3_600_000;
  assert.equal((await visit(admin, link)).status, 404);
  assert.equal((await visit(admin, link, { form: {} })).status, 404);
});

Deno.test("the page of an account that isn't there says so", async () => {
  await using admin = await start();
  const { cookie, csrf } = await signIn(admin);
  const path = `/accounts/${encodeURIComponent("<b>nobody@example.com")}`;
  const { status, text } = await visit(admin, path, { cookie });
  assert.equal(status, 404);
  assert.match(text, /&lt;b&gt;nobody@example.com/);
  assert.equal((await visit(admin, `${path}/verify`, { cookie, form: { csrf } })).status, 404);
});

Deno.test("a form with faults comes back with each of them, and without the secrets", async () => {
  await using admin = await start();
  const { cookie, csrf } = await signIn(admin);
  const form = { csrf, provider: "test", way: "refresh_token", email: "nobody", client_secret: "s3cret" };
  const { status, text } = await visit(admin, "/accounts/new", { cookie, form });
  assert.equal(status, 400);
  assert.match(text, /id="email-fault"/);
  assert.match(text, /id="client_id-fault"/);
  assert.match(text, /id="refresh_token-fault"/);
  assert.match(text, /value="nobody"/);
  assert.doesNotMatch(text, /s3cret/);
  assert.equal(admin.changes, 0);
});

Deno.test("a form that never comes is given up when the server closes", async () => {
  const admin = await start();
  const { host, hostname, port } = new URL(admin.url);
  const client = await Deno.connect({ hostname, port: Number(port) });
  const type = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 100";
  const head = `POST /sign-in HTTP/1.1\r\nhost: ${host}\r\norigin: ${admin.url}\r\n${type}\r\n\r\n`;
  await client.write(new TextEncoder().encode(head));
  // Answered after the form was taken up.
  await visit(admin, "/page.css");
  const closed = admin[Symbol.asyncDispose]();
  const answer = new Uint8Array(2000);
  await client.read(answer);
  assert.match(new TextDecoder().decode(answer), /^HTTP\/1\.1 408 /);
  client.close();
  await closed;
});
