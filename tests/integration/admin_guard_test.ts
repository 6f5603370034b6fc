import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { AdminFixture, adminToken, newAccount } from "./admin_fixture.ts";

const guarded = [
  ["GET", "/admin/status"],
  ["GET", "/admin/accounts"],
  ["POST", "/admin/accounts"],
  ["POST", "/admin/accounts/batch"],
  ["GET", "/admin/accounts/a@example.com"],
  ["PATCH", "/admin/accounts/a@example.com"],
  ["DELETE", "/admin/accounts/a@example.com"],
  ["POST", "/admin/accounts/a@example.com/verify"],
  ["POST", "/admin/accounts/a@example.com/authorize"],
  ["GET", "/admin/accounts/a@example.com/authorize"],
  ["DELETE", "/admin/accounts/invalid"],
  ["DELETE", "/admin/accounts?confirm=true"],
  ["POST", "/admin/reload"],
  ["POST", "/admin/shutdown"],
  ["GET", "/openapi.json"],
  ["GET", "/nothing/here"],
] as const;

Deno.test("every call but the open ones wants the token", async () => {
  await using admin = await AdminFixture.start();
  for (const [method, path] of guarded) {
    const answer = await admin.call(method, path, { headers: { authorization: "" } });
    assert.equal(answer.status, 401, `${method} ${path}`);
    assert.equal(answer.body.success, false);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
  }
});

Deno.test("a wrong token is refused, however alike", async () => {
  await using admin = await AdminFixture.start();
  for (const token of [`${adminToken}x`, adminToken.slice(0, -1), adminToken.toUpperCase(), "x"]) {
    const answer = await admin.call("GET", "/admin/accounts", {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(answer.status, 401);
    assert.match(answer.body.error, /token is wrong/);
  }
});

Deno.test("probes and metrics need no token", async () => {
  await using admin = await AdminFixture.start();
  const headers = { authorization: "" };
  const health = await admin.call("GET", "/health", { headers });
  assert.deepEqual(health.body, { status: "healthy", service: "xoauth2-proxy-admin" });
  assert.equal((await admin.call("GET", "/livez", { headers })).text, "ok\n");
  assert.equal((await admin.call("GET", "/readyz", { headers })).text, "running\n");
  const metrics = await admin.call("GET", "/metrics", { headers });
  assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(metrics.text, /^xoauth2_proxy_build_info/m);
});

Deno.test("health and readyz answer 503 while draining", async () => {
  await using admin = await AdminFixture.start({ context: { state: () => "draining" } });
  const health = await admin.call("GET", "/health");
  assert.equal(health.status, 503);
  assert.equal(health.body.status, "draining");
  assert.equal((await admin.call("GET", "/readyz")).status, 503);
  assert.equal((await admin.call("GET", "/livez")).status, 200);
});

const hosts: readonly [host: string, status: number][] = [
  ["127.0.0.1", 200],
  ["localhost:1", 200],
  ["[::1]:9090", 200],
  ["ADMIN.example.com:443", 200],
  ["admin.example.com.", 200],
  ["evil.example", 403],
  ["127.0.0.1.evil.example", 403],
  ["192.0.2.7", 403],
  ["admin.example.com@evil.example", 403],
];

for (const [host, status] of hosts) {
  Deno.test(`a request for host ${host} reads ${status}`, async () => {
    await using admin = await AdminFixture.start({ admin: { allowed_hosts: ["admin.example.com"] } });
    assert.equal(await statusOfRawRequest(admin.url, { host }), status);
  });
}

const callbacks: readonly [host: string, fields: Readonly<Record<string, string>>, status: number][] = [
  ["localhost:9090", {}, 201],
  ["admin.example.com", {}, 400],
  ["admin.example.com", { redirect_uri: "https://admin.example.com/oauth/callback" }, 201],
];

for (const [host, fields, status] of callbacks) {
  const given = fields["redirect_uri"] ?? "none";
  Deno.test(`an authorization begun at ${host} with the redirect address ${given} reads ${status}`, async () => {
    const accounts = [newAccount("a@example.com")];
    await using admin = await AdminFixture.start({
      accounts,
      admin: { allowed_hosts: ["admin.example.com"] },
    });
    const body = JSON.stringify(fields);
    const headers = { host, "content-type": "application/json", "content-length": String(body.length) };
    const path = "/admin/accounts/a@example.com/authorize";
    assert.equal(await statusOfRawRequest(admin.url, headers, { method: "POST", path, body }), status);
  });
}

const origins: readonly [origin: string, status: number][] = [
  ["http://127.0.0.1:9090", 200],
  ["http://127.0.0.1:9091", 403],
  ["http://localhost:9090", 403],
  ["https://evil.example", 403],
  ["null", 403],
  ["file://127.0.0.1:9090", 403],
];

for (const [origin, status] of origins) {
  Deno.test(`a request from origin ${origin} reads ${status}`, async () => {
    await using admin = await AdminFixture.start();
    assert.equal(await statusOfRawRequest(admin.url, { host: "127.0.0.1:9090", origin }), status);
  });
}

Deno.test("a body beyond 1 MiB reads 413", async () => {
  await using admin = await AdminFixture.start();
  const body = newAccount("a@example.com", { _note: "x".repeat(1024 * 1024) });
  const answer = await admin.call("POST", "/admin/accounts", { body });
  assert.equal(answer.status, 413);
  assert.match(answer.body.error, /1 MiB/);
});

Deno.test("a body beyond 1 MiB reads 413 when it comes in chunks", async () => {
  await using admin = await AdminFixture.start();
  const size = 1024 * 1024 + 1;
  const chunk = `${size.toString(16)}\r\n${"x".repeat(size)}\r\n0\r\n\r\n`;
  const fields = { host: "127.0.0.1", "transfer-encoding": "chunked", "content-type": "application/json" };
  assert.equal(await statusOfRawRequest(admin.url, fields, { method: "POST", body: chunk }), 413);
});

Deno.test("a body beyond 1 MiB reads 413 over HTTP/2, which tells no length", async () => {
  await using admin = await AdminFixture.start();
  const session = connectHttp2(admin.url);
  try {
    const request = session.request({
      ":method": "POST",
      ":path": "/admin/accounts",
      authorization: `Bearer ${adminToken}`,
      "content-type": "application/json",
    });
    // It may be reset while it is still being written to.
    request.on("error", () => {});
    request.end("x".repeat(1024 * 1024 + 1));
    const [headers] = await once(request, "response");
    assert.equal(headers[":status"], 413);
  } finally {
    session.destroy();
  }
});

Deno.test("a body in chunks is read like any other", async () => {
  await using admin = await AdminFixture.start();
  const text = JSON.stringify(newAccount("a@example.com", { verify: false }));
  const chunk = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
  const fields = { host: "127.0.0.1", "transfer-encoding": "chunked", "content-type": "application/json" };
  assert.equal(await statusOfRawRequest(admin.url, fields, { method: "POST", body: chunk }), 201);
});

Deno.test("a batch may have up to 10 MiB", async () => {
  await using admin = await AdminFixture.start();
  const note = "x".repeat(2 * 1024 * 1024);
  const body = { verify: false, accounts: [newAccount("a@example.com", { _note: note })] };
  assert.equal((await admin.call("POST", "/admin/accounts/batch", { body })).status, 200);
  const tooLarge = { accounts: [newAccount("b@example.com", { _note: note.repeat(5) })] };
  assert.equal((await admin.call("POST", "/admin/accounts/batch", { body: tooLarge })).status, 413);
});

const malformed: readonly [name: string, rawBody: string, type: string, status: number][] = [
  ["half an object", '{"email":', "application/json", 400],
  ["a list", "[]", "application/json", 400],
  ["a word", "true", "application/json", 400],
  ["nothing", "", "application/json", 400],
  ["a form", "email=a%40example.com", "application/x-www-form-urlencoded", 415],
  ["text", "{}", "text/plain", 415],
];

for (const [name, rawBody, type, status] of malformed) {
  Deno.test(`a body that is ${name} reads ${status}`, async () => {
    await using admin = await AdminFixture.start();
    const answer = await admin.call("POST", "/admin/accounts", {
      rawBody,
      headers: { "content-type": type },
    });
    assert.equal(answer.status, status);
    assert.equal(answer.body.success, false);
    assert.ok(answer.body.error.length > 0);
    assert.ok(Array.isArray(answer.body.details));
  });
}

Deno.test("an unknown call reads 404 in the shape of every error", async () => {
  await using admin = await AdminFixture.start();
  const answer = await admin.call("GET", "/admin/nothing");
  assert.equal(answer.status, 404);
  assert.deepEqual(Object.keys(answer.body).sort(), ["details", "error", "success"]);
});

Deno.test("answers are not to be kept by caches", async () => {
  await using admin = await AdminFixture.start();
  for (const path of ["/admin/accounts", "/health", "/admin/nothing"]) {
    assert.equal((await admin.call("GET", path)).headers.get("cache-control"), "no-store");
  }
});

/** Fetch doesn't let a test choose these fields. */
async function statusOfRawRequest(
  url: string,
  fields: Readonly<Record<string, string>>,
  { method = "GET", path = "/admin/accounts", body = "" }: {
    readonly method?: string;
    readonly path?: string;
    readonly body?: string;
  } = {},
): Promise<number> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
    `authorization: Bearer ${adminToken}`,
    "connection: close",
  ];
  const octets = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n${body}`);
  for (let sent = 0; sent < octets.length;) sent += await connection.write(octets.subarray(sent));
  const chunk = new Uint8Array(4096);
  const received = await connection.read(chunk) ?? 0;
  return Number(new TextDecoder().decode(chunk.subarray(0, received)).split(" ")[1]);
}
