/** SASL messages and base64 against anything. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { isPasswordHash } from "../../src/accounts/password_hash.ts";
import { decodeBase64, encodeBase64 } from "../../src/sasl/base64.ts";
import { parseLogin } from "../../src/sasl/login.ts";
import { encodeOauthbearer } from "../../src/sasl/oauthbearer.ts";
import { parsePlain } from "../../src/sasl/plain.ts";
import { encodeXoauth2 } from "../../src/sasl/xoauth2.ts";
import { readCredentials } from "../../src/submission/sign_in_dialogue.ts";
import { Reply } from "../../src/smtp/reply.ts";
import { fuzz, fuzzRuns, octetsOf, storedInputs } from "./stored_inputs.ts";

const message = octetsOf("ab@\0\x01é", 40);

Deno.test("decodeBase64 takes any text, and what it decodes encodes back to the same octets", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.base64String(),
    fc.stringMatching(/^[A-Za-z0-9+/=\s]*$/),
  );
  fuzz(text, (line) => {
    const octets = decodeBase64(line);
    if (octets === undefined) return;
    assert.deepEqual(decodeBase64(encodeBase64(octets)), octets);
    assert.equal(line.length, encodeBase64(octets).length);
  });
  fuzz(
    fc.uint8Array({ maxLength: 300 }),
    (octets) => assert.deepEqual(decodeBase64(encodeBase64(octets)), octets),
  );
});

Deno.test("parsePlain and parseLogin take any octets, and let no NUL and no empty field through", () => {
  fuzz(fc.tuple(message, message), ([first, second]) => {
    for (const credentials of [parsePlain(first), parseLogin(first, second)]) {
      if (!credentials) continue;
      assert.ok(credentials.authenticationIdentity !== "" && credentials.password !== "");
      assert.ok(!Object.values(credentials).some((field) => field.includes("\0")));
    }
  }, storedInputs("sasl").map((octets) => [octets, octets] as [typeof octets, typeof octets]));
});

Deno.test("the bearer messages hold nothing that could end a field early", () => {
  fuzz(
    fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
    ([user, token]) => {
      for (const [encode, fields] of [[encodeXoauth2, 4], [encodeOauthbearer, 4]] as const) {
        try {
          const text = Buffer.from(encode(user, token)).toString();
          assert.equal(text.split("\x01").length, fields);
          // deno-lint-ignore no-control-regex -- control characters are what it is about
          assert.doesNotMatch(text.replaceAll("\x01", ""), /[\x00-\x1f\x7f]/);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }
    },
    storedInputs("sasl").map((octets) =>
      [Buffer.from(octets).toString("latin1"), "token"] as [string, string]
    ),
  );
});

Deno.test("the AUTH dialogue takes any argument and any responses, and ends", async () => {
  const argument = fc.array(
    fc.constantFrom("PLAIN", "LOGIN", "plain", " ", "=", "*", "AGEAYg==", "YQ==", "\t", "x"),
    { maxLength: 6 },
  ).map((parts) => parts.join(""));
  const response = fc.oneof(
    message,
    fc.constant("too-long" as const),
    fc.constantFrom("*", "YQ==", "AGEAYg==", "=").map((text) => new TextEncoder().encode(text)),
  );
  const property = fc.asyncProperty(
    argument,
    fc.array(response, { maxLength: 3 }),
    async (text, responses) => {
      const rest = [...responses];
      let challenges = 0;
      const outcome = await readCredentials(text, () => {
        challenges++;
        return Promise.resolve(rest.shift() ?? null);
      });
      assert.ok(challenges <= 2);
      assert.ok(outcome === null || !(outcome instanceof Reply) || outcome.code >= 500);
    },
  );
  await fc.assert(property, { numRuns: fuzzRuns });
});

Deno.test("isPasswordHash takes any text, and no parameters that would cost more than the limit", () => {
  const digits = fc.integer({ min: 0, max: 99 });
  const hash = fc.tuple(digits, digits, digits, fc.base64String({ minLength: 8, maxLength: 100 })).map((
    [ln, r, p, salt],
  ) => `$scrypt$ln=${ln},r=${r},p=${p}$${salt.replaceAll("=", "")}$${salt.replaceAll("=", "")}`);
  fuzz(fc.oneof(fc.string(), hash), (text) => {
    if (!isPasswordHash(text)) return;
    const [, ln = "", r = ""] = /ln=(\d+),r=(\d+)/.exec(text) ?? [];
    assert.ok(128 * 2 ** Number(ln) * Number(r) <= 256 * 1024 * 1024, text);
  });
});
