import assert from "node:assert/strict";
import { ScriptedTokenEndpoint } from "../../support/token_endpoint.ts";

function post(endpoint: ScriptedTokenEndpoint, signal?: AbortSignal): Promise<Response> {
  return fetch(endpoint.url, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "a+b=" }),
    ...(signal ? { signal } : {}),
  });
}

Deno.test("ScriptedTokenEndpoint hands out another token each time and keeps the requests", async () => {
  await using endpoint = await ScriptedTokenEndpoint.start();
  const tokens = [];
  for (let round = 0; round < 2; round++) tokens.push((await (await post(endpoint)).json()).access_token);
  assert.deepEqual(tokens, ["token-1", "token-2"]);
  assert.equal(endpoint.requests[0]?.form.get("refresh_token"), "a+b=");
  assert.equal(endpoint.requests[0]?.path, "/token");
});

Deno.test("ScriptedTokenEndpoint answers as told, in order, then for good", async () => {
  await using endpoint = await ScriptedTokenEndpoint.start();
  endpoint.always({ status: 503, body: "<html>busy</html>", headers: { "retry-after": "7" } });
  endpoint.once({ status: 400, body: { error: "invalid_grant" } });
  const refused = await post(endpoint);
  assert.equal(refused.status, 400);
  assert.deepEqual(await refused.json(), { error: "invalid_grant" });
  const busy = await post(endpoint);
  assert.deepEqual([busy.status, busy.headers.get("retry-after")], [503, "7"]);
  assert.equal(await busy.text(), "<html>busy</html>");
});

Deno.test("ScriptedTokenEndpoint resets, closes, truncates and hangs", async () => {
  await using endpoint = await ScriptedTokenEndpoint.start();
  for (const answer of ["reset", "close", { body: "half of it", truncated: true }] as const) {
    // For good, not once: fetch may try again by itself on a connection that ended before any answer.
    endpoint.always(answer);
    await assert.rejects(async () => await (await post(endpoint)).text(), TypeError);
  }
  endpoint.always("hang");
  const before = endpoint.requestCount;
  const leaving = new AbortController();
  const pending = assert.rejects(post(endpoint, leaving.signal), { name: "AbortError" });
  await endpoint.waitForRequests(before + 1);
  leaving.abort();
  await pending;
});

Deno.test("ScriptedTokenEndpoint holds answers back until a test lets them go", async () => {
  await using endpoint = await ScriptedTokenEndpoint.start();
  const gate = Promise.withResolvers<void>();
  endpoint.always({ until: gate.promise, then: { body: { access_token: "late" } } });
  const answers = Promise.all([post(endpoint), post(endpoint)].map(async (answer) => (await answer).json()));
  await endpoint.waitForRequests(2);
  assert.equal(endpoint.highestOpenRequests, 2);
  gate.resolve();
  assert.deepEqual(await answers, [{ access_token: "late" }, { access_token: "late" }]);
});
