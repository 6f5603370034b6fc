import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "../../../src/sasl/base64.ts";

Deno.test("decodeBase64 reads what encodeBase64 writes, for any octets", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
    assert.deepEqual(decodeBase64(encodeBase64(octets)), octets);
  }));
});

for (
  const text of [
    "A",
    "AA",
    "AAA",
    "AAAAA",
    "====",
    "A===",
    "=AAA",
    "AA=A",
    "AA==AAAA",
    "AA-_",
    "AA A",
    " AAAA",
    "AAAA\n",
  ]
) {
  Deno.test(`decodeBase64 refuses ${JSON.stringify(text)}`, () => {
    assert.equal(decodeBase64(text), undefined);
  });
}

Deno.test("decodeBase64 reads no octets from no text", () => {
  assert.deepEqual(decodeBase64(""), new Uint8Array());
});
