import assert from "node:assert/strict";
import { hashPassword, isPasswordHash, verifyPassword } from "../../../src/accounts/password_hash.ts";
import { ChildProcess } from "../../support/child_process.ts";

Deno.test("verifyPassword knows the password that was hashed, and no other", async () => {
  const hash = await hashPassword("pässword");
  assert.match(hash, /^\$scrypt\$ln=14,r=8,p=5\$[^$]+\$[^$]+$/);
  assert.equal(await verifyPassword("pässword", hash), true);
  assert.equal(await verifyPassword("passwort", hash), false);
  assert.equal(await verifyPassword("", hash), false);
});

Deno.test("hashPassword salts", async () => {
  assert.notEqual(await hashPassword("x"), await hashPassword("x"));
});

Deno.test({
  name: "hashPassword takes the memory of two hashes, however many are asked for (Linux only: reads /proc)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const module = new URL("../../../src/accounts/password_hash.ts", import.meta.url).href;
    const program = `
      import { hashPassword } from "${module}";
      const mebibytes = () => /VmHWM:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))[1] / 1024;
      await hashPassword("x");
      const before = mebibytes();
      await Promise.all(Array.from({ length: 16 }, () => hashPassword("x")));
      console.log(mebibytes() - before);
    `;
    await using child = ChildProcess.spawn({ command: [Deno.execPath(), "eval", program] });
    await child.exited;
    const growth = Number(child.lines.stdout[0]);
    assert.ok(growth < 100, `it grew by ${growth} MiB; 16 at a time would be 256\n${child.lines.stderr}`);
  },
});

Deno.test("verifyPassword computes the scrypt of RFC 7914, section 12", async () => {
  const salt = btoa("SodiumChloride").replace(/=+$/, "");
  const hash = "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr5" +
    "5h6F3A1lHkDfzwF7RVdYhw";
  assert.equal(await verifyPassword("pleaseletmein", `$scrypt$ln=14,r=8,p=1$${salt}$${hash}`), true);
});

for (
  const hash of [
    "",
    "hunter2",
    "$scrypt$ln=14,r=8,p=5$short$short",
    `$scrypt$ln=30,r=8,p=5$${"A".repeat(22)}$${"A".repeat(43)}`,
    `$scrypt$ln=0,r=8,p=5$${"A".repeat(22)}$${"A".repeat(43)}`,
  ]
) {
  Deno.test(`isPasswordHash refuses "${hash.slice(0, 24)}"`, async () => {
    assert.equal(isPasswordHash(hash), false);
    await assert.rejects(verifyPassword("x", hash), TypeError);
  });
}
