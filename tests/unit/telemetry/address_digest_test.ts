import assert from "node:assert/strict";
import { AddressDigest } from "../../../src/telemetry/address_digest.ts";

const digest = new AddressDigest(new TextEncoder().encode("key"));

Deno.test("AddressDigest depends on the key and not on case", () => {
  assert.match(digest.of("a@example.com"), /^addr-[0-9a-f]{12}$/);
  assert.equal(digest.of("A@Example.COM"), digest.of("a@example.com"));
  assert.notEqual(digest.of("b@example.com"), digest.of("a@example.com"));
  const other = new AddressDigest(new TextEncoder().encode("other"));
  assert.notEqual(other.of("a@example.com"), digest.of("a@example.com"));
});

const rows: readonly [text: string, addresses: string[]][] = [
  ["250 <a@example.com>, Recipient ok", ["a@example.com"]],
  ['{"account":"a+b@example.com","to":["c@d.e"]}', ["a+b@example.com", "c@d.e"]],
  ["delivered to jörg@bücher.example.", ["jörg@bücher.example"]],
  ["mailto:a@example.com; x@y", ["a@example.com", "x@y"]],
  ["no address @ all", []],
];

for (const [text, addresses] of rows) {
  Deno.test(`AddressDigest finds ${addresses.length} in: ${text}`, () => {
    const expected = addresses.reduce((result, address) => result.replace(address, digest.of(address)), text);
    assert.equal(digest.replaceIn(text), expected);
  });
}
