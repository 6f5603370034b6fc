import assert from "node:assert/strict";
import { OwnerLinks } from "../../../../src/admin/page/owner_links.ts";
import { testAccount } from "../../oauth/test_account.ts";

const anna = "anna@example.com";

function start({ limit = 10 } = {}) {
  const clock = { nowMs: 0 };
  const gone = new Set<string>();
  const links = new OwnerLinks({
    now: () => clock.nowMs,
    accounts: { get: (email) => gone.has(email) ? undefined : testAccount({ email }) },
    lifeMs: 100,
    limit,
  });
  return { clock, gone, links };
}

Deno.test("OwnerLinks knows a link until it is spent", () => {
  const { links } = start();
  const { token } = links.create(anna);
  assert.equal(links.find(token)?.email, anna);
  links.spend(token);
  assert.equal(links.find(token), undefined);
});

Deno.test("OwnerLinks ends a link with its account, and a new account doesn't bring it back", () => {
  const { links, gone } = start();
  const [annas, berts] = [links.create(anna), links.create("bert@example.com")];
  gone.add(anna);
  links.review();
  gone.clear();
  assert.equal(links.find(annas.token), undefined);
  assert.ok(links.find(berts.token));
});

Deno.test("OwnerLinks ends a link with its time, and when a new one is made", () => {
  const { links, clock } = start();
  const first = links.create(anna);
  const second = links.create("Anna@example.com");
  assert.equal(links.find(first.token), undefined);
  clock.nowMs = 99;
  assert.ok(links.find(second.token));
  clock.nowMs = 100;
  assert.equal(links.find(second.token), undefined);
});

Deno.test("OwnerLinks holds only so many links", () => {
  const { links } = start({ limit: 2 });
  const [one, two, three] = ["a@x.example", "b@x.example", "c@x.example"].map((email) => links.create(email));
  assert.equal(links.find(one!.token), undefined);
  assert.ok(links.find(two!.token) && links.find(three!.token));
});
