import assert from "node:assert/strict";
import { newPassword } from "../../../../src/admin/page/client_password.tsx";

Deno.test("newPassword makes a long one of letters that nobody mistakes", () => {
  const passwords = Array.from({ length: 50 }, () => newPassword());
  for (const password of passwords) assert.match(password, /^([a-km-np-z2-9]{5}-){4}[a-km-np-z2-9]{5}$/);
  assert.equal(new Set(passwords).size, 50);
});
