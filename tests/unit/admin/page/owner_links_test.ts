import assert from "node:assert/strict";
import type { AuthorizationState } from "../../../../src/admin/authorizations.ts";
import { OwnerLinks } from "../../../../src/admin/page/owner_links.ts";

const anna = "anna@example.com";

function start({ limit = 10 } = {}) {
  const clock = { nowMs: 0 };
  const states = new Map<string, AuthorizationState["state"]>();
  const links = new OwnerLinks({
    now: () => clock.nowMs,
    stateOf: (email) => ({ state: states.get(email) ?? "none" }),
    lifeMs: 100,
    limit,
  });
  return { clock, states, links };
}

Deno.test("OwnerLinks spends a link when its authorization has succeeded", () => {
  const { links, states } = start();
  const { token } = links.create(anna);
  links.begin(token);
  states.set(anna, "failed");
  assert.equal(links.find(token)?.email, anna);
  states.set(anna, "authorized");
  assert.equal(links.find(token), undefined);
  states.set(anna, "pending");
  assert.equal(links.find(token), undefined);
});

Deno.test("OwnerLinks keeps a link that nobody has used when an earlier authorization succeeded", () => {
  const { links, states } = start();
  states.set(anna, "authorized");
  assert.equal(links.find(links.create(anna).token)?.email, anna);
});

Deno.test("OwnerLinks settles a link before an administrator's authorization hides its end", () => {
  const { links, states } = start();
  const { token } = links.create(anna);
  links.begin(token);
  states.set(anna, "authorized");
  links.settle(anna.toUpperCase());
  states.set(anna, "pending");
  assert.equal(links.find(token), undefined);
});

Deno.test("OwnerLinks doesn't spend a link on an administrator's authorization", () => {
  const { links, states } = start();
  const { token } = links.create(anna);
  links.begin(token);
  states.set(anna, "failed");
  links.settle(anna);
  states.set(anna, "authorized");
  assert.equal(links.find(token)?.email, anna);
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
