/** What the owner of a mailbox can do with a link, over plain HTTP. */

import assert from "node:assert/strict";
import { AdminFixture, newAccount } from "./admin_fixture.ts";
import { signIn, visit } from "./page_visitor.ts";

const email = "a@example.com";
const path = `/admin/accounts/${email}`;
const grants = {
  body: { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "granted-by-owner" },
};

async function start() {
  await using stack = new AsyncDisposableStack();
  const admin = stack.use(await AdminFixture.start({ accounts: [newAccount(email)] }));
  const { cookie, csrf } = await signIn(admin);
  const form = { csrf, method: "link" };
  const { text } = await visit(admin, `/accounts/${email}/connect`, { cookie, form });
  const link = /\/connect\/[\w-]{43}/.exec(text)?.[0] ?? "";
  const owned = stack.move();
  return { admin, link, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Goes on to the provider with a link, and comes back. */
async function connect(admin: AdminFixture, link: string) {
  const { text } = await visit(admin, link, { form: {} });
  const state = /state=([\w-]+)/.exec(text)?.[1];
  return await visit(admin, `/oauth/callback?code=c&state=${state}`);
}

Deno.test("a link for the owner is spent when the account is connected", async () => {
  await using lab = await start();
  lab.admin.tokenEndpoint.once({ status: 400, body: { error: "invalid_grant" } });
  assert.equal((await connect(lab.admin, lab.link)).status, 400);
  lab.admin.tokenEndpoint.once(grants);
  assert.equal((await connect(lab.admin, lab.link)).status, 200);
  assert.equal((await lab.admin.fileRecords())[0].refresh_token, "granted-by-owner");
  assert.equal((await visit(lab.admin, lab.link)).status, 404);
});

Deno.test("a link for the owner that is spent stays so when the account gets another app", async () => {
  await using lab = await start();
  lab.admin.tokenEndpoint.once(grants);
  assert.equal((await connect(lab.admin, lab.link)).status, 200);
  await lab.admin.call("PATCH", path, { body: { client_id: "another" } });
  assert.equal((await visit(lab.admin, lab.link)).status, 404);
});

Deno.test("a link for the owner isn't spent when an administrator connects the account", async () => {
  await using lab = await start();
  await visit(lab.admin, lab.link, { form: {} });
  const { body } = await lab.admin.call("POST", `${path}/authorize`);
  const state = new URL(body.authorization_url).searchParams.get("state");
  lab.admin.tokenEndpoint.once(grants);
  assert.equal((await visit(lab.admin, `/oauth/callback?code=c&state=${state}`)).status, 200);
  assert.equal((await visit(lab.admin, lab.link)).status, 200);
});

Deno.test("a link for the owner ends with the account, even if that is added anew", async () => {
  await using lab = await start();
  await lab.admin.call("DELETE", path);
  const body = newAccount(email, { verify: false });
  assert.equal((await lab.admin.call("POST", "/admin/accounts", { body })).status, 201);
  assert.equal((await visit(lab.admin, lab.link)).status, 404);
  assert.equal((await visit(lab.admin, lab.link, { form: {} })).status, 404);
});

Deno.test("a link for the owner doesn't change how the account gets its tokens", async () => {
  await using lab = await start();
  const app = { grant: "client_credentials", client_secret: "s3cret" };
  assert.equal((await lab.admin.call("PATCH", path, { body: app })).status, 200);
  const begun = await visit(lab.admin, lab.link, { form: {} });
  assert.equal(begun.status, 400);
  assert.match(begun.text, /uses client_credentials, which no user authorizes/);
});
