import assert from "node:assert/strict";
import { parsePlain } from "../../../src/sasl/plain.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("parsePlain reads the three fields (RFC 4616 §2)", () => {
  assert.deepEqual(parsePlain(encode("on behalf\0us\u00e9r\0p\u00e4ss word")), {
    authorizationIdentity: "on behalf",
    authenticationIdentity: "us\u00e9r",
    password: "p\u00e4ss word",
  });
  assert.equal(parsePlain(encode("\0user\0pass"))?.authorizationIdentity, "");
});

Deno.test("parsePlain takes fields of 255 octets and more", () => {
  const field = "x".repeat(1000);
  assert.equal(parsePlain(encode(`${field}\0${field}\0${field}`))?.password, field);
});

for (
  const message of ["", "user", "user\0pass", "\0\0pass", "\0user\0", "\0user\0pass\0", "\0user\0pa\0ss"]
) {
  Deno.test(`parsePlain refuses ${JSON.stringify(message)}`, () => {
    assert.equal(parsePlain(encode(message)), undefined);
  });
}

Deno.test("parsePlain refuses octets that are no UTF-8", () => {
  assert.equal(parsePlain(Uint8Array.of(0, 0x61, 0, 0xff)), undefined);
});
