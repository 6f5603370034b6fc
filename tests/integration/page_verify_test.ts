/** Verifying an account on the page, over plain HTTP. */

import assert from "node:assert/strict";
import { AdminFixture, newAccount } from "./admin_fixture.ts";
import { signIn, visit } from "./page_visitor.ts";

const email = "a@example.com";
const rotating = {
  body: { access_token: "t", token_type: "Bearer", expires_in: 3600, refresh_token: "second" },
};

Deno.test("a verification whose viewer leaves keeps the refresh token that the provider has rotated", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount(email, { refresh_token: "first" })] });
  const { cookie, csrf } = await signIn(admin);
  const rotation = Promise.withResolvers<void>();
  admin.tokenEndpoint.once({ until: rotation.promise, then: rotating });
  const tab = new AbortController();
  const left = assert.rejects(
    visit(admin, `/accounts/${email}/verify`, { cookie, form: { csrf }, signal: tab.signal }),
    { name: "AbortError" },
  );
  await admin.tokenEndpoint.waitForRequests(1);
  tab.abort();
  await left;
  // Answered after the end of the connection has been seen.
  for (let count = 0; count < 3; count++) await visit(admin, "/page.css");
  rotation.resolve();
  // Whoever asks next for the account has to wait for the answer.
  await admin.call("POST", `/admin/accounts/${email}/verify`);
  assert.equal(admin.tokenEndpoint.requests[1]?.form.get("refresh_token"), "second");
  assert.equal((await admin.fileRecords())[0].refresh_token, "second");
});
