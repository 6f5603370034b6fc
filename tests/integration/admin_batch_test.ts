import assert from "node:assert/strict";
import { AdminFixture, newAccount } from "./admin_fixture.ts";

const path = "/admin/accounts/batch";

function numbered(count: number) {
  return Array.from({ length: count }, (_, number) => newAccount(`user${number}@example.com`));
}

Deno.test("a batch verifies in parallel, 50 at a time, and saves all", async () => {
  await using admin = await AdminFixture.start();
  const answer = await admin.call("POST", path, { body: { accounts: numbered(120) } });
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.body.succeeded, answer.body.failed], [120, 0]);
  assert.equal(admin.tokenEndpoint.requestCount, 120);
  assert.ok(admin.tokenEndpoint.highestOpenRequests > 5, `${admin.tokenEndpoint.highestOpenRequests}`);
  assert.ok(admin.tokenEndpoint.highestOpenRequests <= 50, `${admin.tokenEndpoint.highestOpenRequests}`);
  assert.equal((await admin.fileRecords()).length, 120);
  assert.equal(admin.changes, 1);
});

Deno.test("a batch reads 207 with one result each when some fail", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount("there@example.com")] });
  admin.tokenEndpoint.always(({ form }) =>
    form.get("refresh_token")?.includes("revoked")
      ? { status: 400, body: { error: "invalid_grant" } }
      : { body: { access_token: "t", token_type: "Bearer", expires_in: 3600 } }
  );
  const accounts = [
    newAccount("new@example.com"),
    newAccount("there@example.com"),
    newAccount("revoked@example.com"),
    newAccount("NEW@example.com"),
    { email: "x", provider: "gmial", client_id: 1 },
    "nonsense",
    newAccount("there@example.com", { overwrite: true }),
    newAccount("late@example.com", { verify: false, refresh_token: undefined }),
  ];
  const { status, body } = await admin.call("POST", path, { body: { accounts } });
  assert.equal(status, 207);
  assert.deepEqual(body.results.map((result: { status: number }) => result.status), [
    201,
    409,
    422,
    409,
    400,
    400,
    409,
    201,
  ]);
  assert.deepEqual([body.success, body.total, body.succeeded, body.failed], [false, 8, 2, 6]);
  const { details } = body.results[4];
  assert.deepEqual(details.map((detail: { path: string }) => detail.path).sort(), [
    "client_id",
    "email",
    "provider",
    "refresh_token",
  ]);
  const emails = (await admin.fileRecords()).map(({ email }) => email).sort();
  assert.deepEqual(emails, ["late@example.com", "new@example.com", "there@example.com"]);
});

const faulty: readonly [name: string, body: unknown][] = [
  ["no accounts", {}],
  ["none at all", { accounts: [] }],
  ["too many", { accounts: numbered(1001) }],
  ["no list", { accounts: { email: "a@example.com" } }],
  ["a wrong switch", { accounts: numbered(1), verify: "no" }],
  ["a misspelled switch", { accounts: numbered(1), verfiy: false }],
];

for (const [name, body] of faulty) {
  Deno.test(`a batch with ${name} reads 400`, async () => {
    await using admin = await AdminFixture.start();
    const answer = await admin.call("POST", path, { body });
    assert.equal(answer.status, 400);
    assert.equal(answer.body.details.length, 1);
    assert.deepEqual(await admin.fileRecords(), []);
  });
}

Deno.test("a batch takes exactly 1,000 accounts", async () => {
  await using admin = await AdminFixture.start();
  const answer = await admin.call("POST", path, { body: { accounts: numbered(1000), verify: false } });
  assert.equal(answer.status, 200);
  assert.equal((await admin.fileRecords()).length, 1000);
});

Deno.test("a batch tells of an account that it has replaced while others are still being verified", async () => {
  const [there, slow] = [newAccount("there@example.com"), newAccount("slow@example.com")];
  await using admin = await AdminFixture.start({ accounts: [there] });
  const { store, tokens } = admin.services;
  const manager = tokens.for(store.get("there@example.com")!);
  const gate = Promise.withResolvers<void>();
  const granted = { access_token: "t", token_type: "Bearer", expires_in: 3600 };
  admin.tokenEndpoint.always(({ form }) => {
    const grant = form.get("refresh_token");
    if (grant === slow.refresh_token) return { until: gate.promise, then: { body: granted } };
    return { body: { ...granted, ...(grant === there.refresh_token && { refresh_token: "rotated" }) } };
  });
  const { add } = store;
  const replaced = Promise.withResolvers<void>();
  store.add = async (...addition) => {
    const account = await add.apply(store, addition);
    replaced.resolve();
    return account;
  };
  const answer = admin.call("POST", path, { body: { accounts: [there, slow], overwrite: true } });
  await replaced.promise;
  // The call goes on from here in turns of its own.
  await new Promise((resolve) => setTimeout(resolve));
  await manager.get(new AbortController().signal);
  assert.equal(admin.tokenEndpoint.requests.at(-1)?.form.get("refresh_token"), "rotated");
  gate.resolve();
  assert.equal((await answer).status, 200);
});
