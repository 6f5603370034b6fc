import assert from "node:assert/strict";
import { Extensions } from "../../../src/smtp/extensions.ts";
import { Reply } from "../../../src/smtp/reply.ts";

Deno.test("Extensions reads an EHLO reply, keywords in any case, the first line passed over", () => {
  const extensions = Extensions.of(
    Reply.of(250, "", ["SIZE.example", "pipelining", "SIZE 35882577", "Auth xoauth2 PLAIN"]),
  );
  assert.deepEqual(extensions.keywords, ["PIPELINING", "SIZE", "AUTH"]);
  assert.ok(extensions.has("PIPELINING"));
  assert.ok(!extensions.has("SIZE.EXAMPLE"));
  assert.equal(extensions.size, 35_882_577);
  assert.deepEqual(extensions.mechanisms, ["XOAUTH2", "PLAIN"]);
});

Deno.test("Extensions reads the old form of AUTH", () => {
  assert.deepEqual(new Extensions(["AUTH=LOGIN PLAIN"]).mechanisms, ["LOGIN", "PLAIN"]);
  assert.deepEqual(new Extensions([]).mechanisms, []);
});

for (const line of ["SIZE", "SIZE 0", "SIZE lots", "SIZE -1", "SIZE 1.5", "SIZE 99999999999999999999"]) {
  Deno.test(`Extensions takes ${line} for no limit`, () => {
    assert.equal(new Extensions([line]).size, undefined);
  });
}
