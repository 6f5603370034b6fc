import assert from "node:assert/strict";
import { parseLogin, PASSWORD_CHALLENGE, USERNAME_CHALLENGE } from "../../../src/sasl/login.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("LOGIN's challenges are spelled as clients wait for them", () => {
  assert.equal(atob(USERNAME_CHALLENGE), "Username:");
  assert.equal(atob(PASSWORD_CHALLENGE), "Password:");
});

Deno.test("parseLogin puts user name and password together", () => {
  assert.deepEqual(parseLogin(encode("us\u00e9r"), encode("p\u00e4ss")), {
    authorizationIdentity: "",
    authenticationIdentity: "us\u00e9r",
    password: "p\u00e4ss",
  });
});

for (const [username, password] of [["", "p"], ["u", ""], ["u\0x", "p"], ["u", "p\0x"]] as const) {
  Deno.test(`parseLogin refuses ${JSON.stringify([username, password])}`, () => {
    assert.equal(parseLogin(encode(username), encode(password)), undefined);
  });
}

Deno.test("parseLogin refuses octets that are no UTF-8", () => {
  assert.equal(parseLogin(Uint8Array.of(0xff), encode("p")), undefined);
  assert.equal(parseLogin(encode("u"), Uint8Array.of(0xc3)), undefined);
});
