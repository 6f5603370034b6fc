import assert from "node:assert/strict";
import { encodeXoauth2, XOAUTH2_ERROR_RESPONSE } from "../../../src/sasl/xoauth2.ts";
import { encodeBase64 } from "../../../src/sasl/base64.ts";

Deno.test("encodeXoauth2 writes Google's published example", () => {
  const encoded = encodeBase64(
    encodeXoauth2("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"),
  );
  assert.equal(
    encoded,
    "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==",
  );
  assert.equal(XOAUTH2_ERROR_RESPONSE, "");
});

Deno.test("encodeXoauth2 refuses control characters, and doesn't repeat the token", () => {
  assert.throws(() => encodeXoauth2("a\x01auth=Bearer x", "t"), RangeError);
  assert.throws(() => encodeXoauth2("a", "secret\x01"), (error: Error) => {
    return error instanceof RangeError && !error.message.includes("secret");
  });
});
