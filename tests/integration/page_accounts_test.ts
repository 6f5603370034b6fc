/** The list of accounts with as many as a large site has, over plain HTTP. */

import assert from "node:assert/strict";
import type { AccountStatus } from "../../src/admin/admin_context.ts";
import { AdminFixture, adminToken } from "./admin_fixture.ts";

const accounts: AccountStatus[] = Array.from({ length: 500 }, (_, index) => ({
  email: `user${String(index).padStart(3, "0")}@example.com`,
  provider: index % 2 === 0 ? "gmail" : "outlook",
  token: index % 10 === 0
    ? { state: "needs_authorization", lastError: "revoked", remedy: "authorize" }
    : { state: "valid" },
  rates: {},
}));

/** Reads the addresses on a page of the list. */
async function list(admin: AdminFixture, query = ""): Promise<{ emails: string[]; text: string }> {
  const signedIn = await fetch(`${admin.url}/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: admin.url },
    body: new URLSearchParams({ token: adminToken }),
  });
  await signedIn.body?.cancel();
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const text = await (await fetch(`${admin.url}/accounts${query}`, { headers: { cookie } })).text();
  return { emails: [...text.matchAll(/>(user\d+@example\.com)</g)].map(([, email = ""]) => email), text };
}

async function start() {
  const status = () => Promise.resolve({ accounts } as never);
  return await AdminFixture.start({ context: { status } });
}

Deno.test("the list of accounts comes in pages", async () => {
  await using admin = await start();
  const first = await list(admin);
  assert.equal(first.emails.length, 100);
  assert.match(first.text, /500 accounts, page 1 of 5/);
  assert.match(first.text, /page=2">Next/);
  const last = await list(admin, "?page=5");
  assert.equal(last.emails.at(-1), "user499@example.com");
  assert.doesNotMatch(last.text, />Next</);
  for (const page of ["0", "-3", "x", "99999", "1e400"]) {
    assert.equal((await list(admin, `?page=${page}`)).emails.length, 100, page);
  }
});

Deno.test("the list of accounts finds by address and provider, and what needs a look", async () => {
  await using admin = await start();
  assert.deepEqual((await list(admin, "?q=USER123")).emails, ["user123@example.com"]);
  assert.match((await list(admin, "?q=outlook")).text, /250 of 500 accounts, page 1 of 3/);
  const { emails, text } = await list(admin, "?show=attention&q=gmail");
  assert.equal(emails.length, 50);
  assert.match(text, /needs sign-in/);
  assert.match((await list(admin, "?q=nobody")).text, /0 of 500 accounts/);
});
