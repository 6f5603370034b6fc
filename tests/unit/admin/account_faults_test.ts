import assert from "node:assert/strict";
import {
  misspelledKeys,
  newAccountFaults,
  onePerField,
  schemaFaults,
} from "../../../src/admin/account_faults.ts";

const whole = { email: "a@example.com", provider: "x", client_id: "id", refresh_token: "r" };

function paths(body: unknown): string[] {
  return newAccountFaults(body, new Map()).map(({ path }) => path);
}

Deno.test("newAccountFaults wants a refresh token only where there is something to verify", () => {
  const { refresh_token: _none, ...without } = whole;
  assert.ok(paths(without).includes("refresh_token"));
  assert.ok(!paths({ ...without, verify: false }).includes("refresh_token"));
  assert.ok(!paths({ ...without, grant: "client_credentials" }).includes("refresh_token"));
});

Deno.test("newAccountFaults wants a client id except for service accounts", () => {
  const { client_id: _none, ...without } = whole;
  assert.ok(paths(without).includes("client_id"));
  assert.ok(paths({ ...whole, client_id: "" }).includes("client_id"));
  assert.ok(!paths({ ...without, grant: "service_account" }).includes("client_id"));
});

Deno.test("newAccountFaults names an unknown provider", () => {
  assert.deepEqual(paths(whole), ["provider"]);
  assert.deepEqual(paths({ ...whole, provider: 7 }), []);
});

Deno.test("newAccountFaults has nothing to say of what is no object", () => {
  for (const body of [undefined, null, [], "x"]) assert.deepEqual(paths(body), []);
});

Deno.test("misspelledKeys finds slips, and leaves comments, old keys and strange ones", () => {
  const body = { ...whole, pasword: "x", _note: "x", vmta_name: "x", cost_center: 1 };
  assert.deepEqual(misspelledKeys(body), [
    { path: "pasword", message: "is unknown", hint: 'did you mean "password"?' },
  ]);
});

Deno.test("misspelledKeys finds slips at any depth", () => {
  const body = {
    connection_settings: { max_connections_per_acount: 1, _note: "x", my_note: "x" },
    retry: { max_atempts: 2 },
    circuit_breaker: null,
  };
  assert.deepEqual(misspelledKeys(body).map(({ path, hint }) => [path, hint]), [
    ["connection_settings.max_connections_per_acount", 'did you mean "max_connections_per_account"?'],
    ["retry.max_atempts", 'did you mean "max_attempts"?'],
  ]);
});

Deno.test("misspelledKeys has nothing to say of what is no object", () => {
  for (const body of [undefined, null, [], "x"]) assert.deepEqual(misspelledKeys(body), []);
});

Deno.test("schemaFaults joins paths and tells what is missing from what is wrong", () => {
  const issues = [
    { code: "custom", path: ["limits", "connections"], message: "must be 1", params: { hint: "no quotes" } },
    { code: "custom", path: ["email"], message: "must be an address" },
  ];
  assert.deepEqual(schemaFaults(issues, { limits: { connections: "x" } }), [
    { path: "limits.connections", message: "must be 1", hint: "no quotes" },
    { path: "email", message: "is missing, and must be an address", hint: "" },
  ]);
});

Deno.test("onePerField keeps the first fault of each", () => {
  const fault = (path: string, message: string) => ({ path, message, hint: "" });
  const faults = [fault("a", "1"), fault("b", "2"), fault("a", "3")];
  assert.deepEqual(onePerField(faults), faults.slice(0, 2));
});
