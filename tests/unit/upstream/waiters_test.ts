import assert from "node:assert/strict";
import { Waiters } from "../../../src/upstream/waiters.ts";

function wait(waiters: Waiters<string>, signal = new AbortController().signal, timeoutMs = 60_000) {
  return waiters.wait({ signal, timeoutMs, onTimeout: () => new Error("too late") });
}

Deno.test("Waiters are served first come, first served", async () => {
  const waiters = new Waiters<string>();
  const served: string[] = [];
  const all = [1, 2, 3].map(async (number) => void served.push(`${number}${await wait(waiters)}`));
  for (const value of ["a", "b", "c"]) assert.equal(waiters.give(value), true);
  assert.equal(waiters.give("d"), false);
  await Promise.all(all);
  assert.deepEqual(served, ["1a", "2b", "3c"]);
});

Deno.test("Waiters pass over one whose signal has aborted", async () => {
  const waiters = new Waiters<string>();
  const abort = new AbortController();
  const first = assert.rejects(wait(waiters, abort.signal), { name: "AbortError" });
  const second = wait(waiters);
  abort.abort();
  assert.equal(waiters.length, 1);
  waiters.give("a");
  await first;
  assert.equal(await second, "a");
});

Deno.test("Waiters don't take in one whose signal has aborted before", async () => {
  const waiters = new Waiters<string>();
  await assert.rejects(wait(waiters, AbortSignal.abort()), { name: "AbortError" });
  assert.equal(waiters.length, 0);
});

Deno.test("Waiters give up at their deadline", async () => {
  const waiters = new Waiters<string>();
  await assert.rejects(wait(waiters, undefined, 1), /too late/);
  assert.equal(waiters.length, 0);
});

Deno.test("Waiters are all turned away at once", async () => {
  const waiters = new Waiters<string>();
  const all = Promise.allSettled([wait(waiters), wait(waiters)]);
  waiters.rejectAll(new Error("closed"));
  assert.deepEqual((await all).map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(waiters.length, 0);
});
