import assert from "node:assert/strict";
import { PageSessions } from "../../../../src/admin/page/page_sessions.ts";

Deno.test("PageSessions finds a session until its time is over", () => {
  let nowMs = 0;
  const sessions = new PageSessions({ now: () => nowMs, lifeMs: 100 });
  const { id } = sessions.open();
  nowMs = 99;
  assert.equal(sessions.find(id)?.id, id);
  nowMs = 100;
  assert.equal(sessions.find(id), undefined);
});

Deno.test("PageSessions gives every session secrets of its own", () => {
  const sessions = new PageSessions({ now: () => 0 });
  const [one, two] = [sessions.open(), sessions.open()];
  assert.equal(new Set([one.id, one.csrfToken, two.id, two.csrfToken]).size, 4);
  assert.ok(one.id.length >= 43);
});

Deno.test("PageSessions forgets a closed session and knows none without a cookie", () => {
  const sessions = new PageSessions({ now: () => 0 });
  const { id } = sessions.open();
  sessions.close(id);
  assert.equal(sessions.find(id), undefined);
  assert.equal(sessions.find(undefined), undefined);
});

Deno.test("PageSessions makes room by ending the oldest", () => {
  const sessions = new PageSessions({ now: () => 0, limit: 2 });
  const [one, two, three] = [sessions.open(), sessions.open(), sessions.open()];
  assert.equal(sessions.find(one.id), undefined);
  assert.ok(sessions.find(two.id) && sessions.find(three.id));
});
