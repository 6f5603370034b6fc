import assert from "node:assert/strict";
import { encodeOauthbearer, OAUTHBEARER_ERROR_RESPONSE } from "../../../src/sasl/oauthbearer.ts";

const decode = (octets: Uint8Array) => new TextDecoder().decode(octets);

Deno.test("encodeOauthbearer writes GS2 header and token (RFC 7628 §3.1)", () => {
  assert.equal(
    decode(encodeOauthbearer("user@example.com", "t0ken")),
    "n,a=user@example.com,\x01auth=Bearer t0ken\x01\x01",
  );
});

Deno.test("encodeOauthbearer escapes what ends the user in a GS2 header (RFC 5801 §4)", () => {
  assert.ok(decode(encodeOauthbearer("a=b,c@example.com", "t")).startsWith("n,a=a=3Db=2Cc@example.com,\x01"));
});

Deno.test("encodeOauthbearer refuses control characters", () => {
  assert.throws(() => encodeOauthbearer("a\x01b", "t"), RangeError);
  assert.throws(() => encodeOauthbearer("a", "t\n"), RangeError);
});

Deno.test("OAUTHBEARER's answer to an error challenge is a single 0x01 (RFC 7628 §3.2.3)", () => {
  assert.equal(atob(OAUTHBEARER_ERROR_RESPONSE), "\x01");
});
