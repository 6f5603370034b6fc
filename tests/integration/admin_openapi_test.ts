/** The description of the API, seen by tools that are not ours. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { AdminFixture, adminToken } from "./admin_fixture.ts";

const calls = [
  "GET /health",
  "GET /livez",
  "GET /readyz",
  "GET /metrics",
  "GET /admin/status",
  "GET /admin/accounts",
  "POST /admin/accounts",
  "POST /admin/accounts/batch",
  "GET /admin/accounts/{email}",
  "PATCH /admin/accounts/{email}",
  "DELETE /admin/accounts/{email}",
  "POST /admin/accounts/{email}/verify",
  "POST /admin/accounts/{email}/authorize",
  "GET /oauth/callback",
  "DELETE /admin/accounts/invalid",
  "DELETE /admin/accounts",
  "POST /admin/reload",
  "POST /admin/shutdown",
];

Deno.test("openapi.json is valid and has every call", async () => {
  await using admin = await AdminFixture.start();
  const { body } = await admin.call("GET", "/openapi.json");
  const { valid, errors } = await new Validator().validate(structuredClone(body));
  assert.ok(valid, JSON.stringify(errors));
  const described = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  );
  for (const call of calls) assert.ok(described.includes(call), call);
});

Deno.test("openapi.json asks for a token where the server does", async () => {
  await using admin = await AdminFixture.start();
  const { body } = await admin.call("GET", "/openapi.json");
  const open = ["/health", "/livez", "/readyz", "/metrics", "/oauth/callback"];
  for (
    const [path, methods] of Object.entries(
      body.paths as Record<string, Record<string, { security?: unknown }>>,
    )
  ) {
    for (const { security } of Object.values(methods)) {
      assert.deepEqual(security, open.includes(path) ? undefined : [{ bearer: [] }], path);
    }
  }
});

Deno.test("openapi.json describes the fields of an account", async () => {
  await using admin = await AdminFixture.start();
  const { body } = await admin.call("GET", "/openapi.json");
  const { NewAccount } = body.components.schemas;
  assert.deepEqual(NewAccount.required, ["email", "provider"]);
  assert.equal(NewAccount.properties.refresh_token.type, "string");
  assert.equal(NewAccount.properties.verify.type, "boolean");
});

/** Types come from the description alone, so a wrong description fails the check, and a wrong answer the run. */
const clientProgram = `
import createClient from "npm:openapi-fetch@0.17.0";
import type { paths } from "./api.d.ts";

const [baseUrl = "", token = ""] = Deno.args;
const client = createClient<paths>({ baseUrl, headers: { authorization: \`Bearer \${token}\` } });
const added = await client.POST("/admin/accounts", {
  body: { email: "a@example.com", provider: "test", client_id: "app", refresh_token: "r", verify: true },
});
const email: string | undefined = added.data?.account.email;
const clash = await client.POST("/admin/accounts", {
  body: { email: "a@example.com", provider: "test", client_id: "app", refresh_token: "r" },
});
const error: string | undefined = clash.error?.error;
const listed = await client.GET("/admin/accounts");
const total: number | undefined = listed.data?.total_accounts;
const patched = await client.PATCH("/admin/accounts/{email}", {
  params: { path: { email: "a@example.com" } },
  body: { username: "anna" },
});
const username: string | undefined = patched.data?.account.username;
const removed = await client.DELETE("/admin/accounts/{email}", { params: { path: { email: "a@example.com" } } });
console.log(JSON.stringify({ email, error, total, username, removed: removed.data?.email }));
`;

Deno.test("a client generated from openapi.json works", async () => {
  await using admin = await AdminFixture.start();
  const directory = await Deno.makeTempDir();
  await using _directory = { [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }) };
  const { text } = await admin.call("GET", "/openapi.json");
  await Deno.writeTextFile(join(directory, "openapi.json"), text);
  await Deno.writeTextFile(join(directory, "client.ts"), clientProgram);
  await runDeno(directory, [
    "run",
    "-A",
    "--no-config",
    "npm:openapi-typescript@7.13.0",
    "openapi.json",
    "-o",
    "api.d.ts",
  ]);
  const output = await runDeno(directory, [
    "run",
    "--check",
    "-A",
    "--no-config",
    "client.ts",
    admin.url,
    adminToken,
  ]);
  assert.deepEqual(JSON.parse(output), {
    email: "a@example.com",
    error: 'Cannot add "a@example.com": there is such an account',
    total: 1,
    username: "anna",
    removed: "a@example.com",
  });
  assert.deepEqual(await admin.fileRecords(), []);
});

async function runDeno(cwd: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd })
    .output();
  const text = new TextDecoder();
  assert.ok(success, text.decode(stderr));
  return text.decode(stdout);
}
