import assert from "node:assert/strict";
import { TokenError } from "../../../src/oauth/token_error.ts";
import { Reply } from "../../../src/smtp/reply.ts";
import { CircuitOpenError, DialError, type DialPhase } from "../../../src/upstream/upstream_error.ts";
import { failureOf } from "../../../src/verification/verification_failure.ts";
import { testAccount, testProvider } from "../oauth/test_account.ts";

const account = testAccount();
const google = testProvider({ tokenUrl: "https://oauth2.googleapis.com/token" });
const revoked = new TokenError("NEEDS_AUTHORIZATION", "it answered 400", {
  error: "invalid_grant",
  remedy: "Again",
});

Deno.test("failureOf takes cause and remedy from a TokenError", () => {
  assert.deepEqual(failureOf(revoked, { account }), {
    step: "token",
    cause: "Cannot obtain an access token: it answered 400",
    remedy: "Again",
    kind: "refused",
    tokenError: "invalid_grant",
  });
  const passing = new TokenError("TOKEN_UNAVAILABLE", "no answer", { remedy: "Wait" });
  assert.equal(failureOf(passing, { account }).kind, "unavailable");
});

Deno.test("failureOf names what ends grants of Google's", () => {
  const { remedy } = failureOf(revoked, { account: testAccount({ provider: google }) });
  assert.match(remedy, /password changes.*Testing/);
  const service = testAccount({ provider: google, grant: "service_account" });
  assert.match(failureOf(revoked, { account: service }).remedy, /domain-wide delegation/);
});

const phases: readonly [phase: DialPhase, remedy: RegExp][] = [
  ["connect", /firewall/],
  ["tls", /ca_file/],
  ["greeting", /greet as an SMTP server/],
  ["ehlo", /EHLO/],
  ["starttls", /465/],
  ["auth", /Try again/],
];

for (const [phase, remedy] of phases) {
  Deno.test(`failureOf has a remedy for a silent failure in phase ${phase}`, () => {
    const failure = failureOf(new DialError(phase, "no answer"), { account });
    assert.deepEqual([failure.step, failure.kind], [phase, "unavailable"]);
    assert.match(failure.remedy, remedy);
  });
}

const replies: readonly [code: number, text: string, remedy: RegExp, kind: string][] = [
  [535, "5.7.139 SmtpClientAuthentication is disabled for the Tenant", /Set-CASMailbox/, "refused"],
  [535, "5.7.3 Authentication unsuccessful", /sasl_user/, "refused"],
  [454, "4.7.0 Temporary authentication failure", /./, "unavailable"],
  [550, "5.9.9 something new", /Try again/, "refused"],
];

for (const [code, text, remedy, kind] of replies) {
  Deno.test(`failureOf reads ${code} ${text.slice(0, 5)} as ${kind}`, () => {
    const reply = Reply.of(code, text.slice(0, text.indexOf(" ")), text.slice(text.indexOf(" ") + 1));
    const failure = failureOf(new DialError("auth", reply.text(), { reply }), { account });
    assert.equal(failure.kind, kind);
    assert.match(failure.remedy, remedy);
  });
}

Deno.test("failureOf blames the scope when a sign-in is refused and the scope is wrong", () => {
  const reply = Reply.of(535, "5.7.3", "no");
  const error = new DialError("auth", "no", { reply });
  assert.equal(failureOf(error, { account, scopeRemedy: "Set scope" }).remedy, "Set scope");
  const disabled = Reply.of(535, "5.7.139", "SmtpClientAuthentication is disabled");
  const other = failureOf(new DialError("auth", "no", { reply: disabled }), {
    account,
    scopeRemedy: "Set scope",
  });
  assert.match(other.remedy, /Set-CASMailbox/);
});

Deno.test("failureOf reads an open circuit as passing", () => {
  assert.equal(failureOf(new CircuitOpenError("h:1"), { account }).kind, "unavailable");
});

Deno.test("failureOf throws what is nobody's fault but ours", () => {
  const bug = new TypeError("x is undefined");
  assert.throws(() => failureOf(bug, { account }), bug);
});
