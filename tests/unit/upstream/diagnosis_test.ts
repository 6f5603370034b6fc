import assert from "node:assert/strict";
import { Reply } from "../../../src/smtp/reply.ts";
import { type Cause, diagnose, isThrottle } from "../../../src/upstream/diagnosis.ts";

/** As providers word them in 2026. */
const REPLIES: readonly [cause: Cause, code: number, enhancedCode: string, text: string][] = [
  [
    "smtp-auth-disabled",
    535,
    "5.7.139",
    "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
  ],
  [
    "smtp-auth-disabled",
    535,
    "5.7.139",
    "Authentication unsuccessful, user is locked by your organization's security defaults policy",
  ],
  ["sign-in-refused", 535, "5.7.3", "Authentication unsuccessful [AM0PR01.example 2026-01-01T00:00:00 08DC]"],
  ["sign-in-refused", 535, "5.7.8", "Username and Password not accepted. - gsmtp"],
  ["sign-in-refused", 534, "5.7.9", "Application-specific password required. - gsmtp"],
  ["sign-in-refused", 530, "5.7.57", "Client not authenticated to send mail"],
  ["token-expires-soon", 501, "5.5.127", "Token will expire soon"],
  ["send-as-refused", 550, "5.7.60", "SMTP; Client does not have permissions to send as this sender"],
  ["send-as-refused", 554, "5.2.252", "SendAsDenied; a@example.com not allowed to send as b@example.com"],
  ["mailbox-full", 554, "5.2.2", "mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"],
  ["mailbox-full", 550, "5.2.251", "Mailbox is full"],
  ["license-missing", 550, "5.2.253", "The mailbox has no licence"],
  ["quota-exceeded", 554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException"],
  ["daily-limit", 550, "5.4.5", "Daily user sending limit exceeded. - gsmtp"],
  ["too-many-sign-ins", 454, "4.7.0", "Too many login attempts, please try again later. - gsmtp"],
  ["throttled", 432, "4.3.2", "Concurrent connections limit exceeded."],
  ["throttled", 432, "4.3.2", "STOREDRV.ClientSubmit; sender thread limit exceeded"],
  ["throttled", 421, "4.7.0", "Try again later, closing connection. - gsmtp"],
  ["throttled", 450, "4.2.1", "The user is receiving mail too quickly. - gsmtp"],
  ["throttled", 451, "4.7.0", "Temporary server error. Please try again later. PRX5"],
  ["throttled", 454, "4.7.0", "Cannot authenticate due to a temporary system problem. - gsmtp"],
  ["temporary", 421, "4.4.2", "Connection timed out"],
  ["temporary", 451, "4.3.0", "Mail server temporarily rejected message. - gsmtp"],
  ["temporary", 452, "4.5.3", "Your message has too many recipients. - gsmtp"],
  ["other", 550, "5.1.1", "No such user"],
  ["other", 552, "5.3.4", "Message exceeds the size limit. - gsmtp"],
];
for (const [cause, code, enhancedCode, text] of REPLIES) {
  Deno.test(`diagnose takes "${code} ${enhancedCode} ${text.slice(0, 50)}" for ${cause}`, () => {
    const diagnosis = diagnose(Reply.of(code, enhancedCode, text));
    assert.equal(diagnosis.cause, cause);
    assert.ok(diagnosis.remedy.length > 20);
  });
}

Deno.test("isThrottle takes no permanent refusal for a request to slow down", () => {
  assert.equal(isThrottle(Reply.of(550, "5.7.1", "Too many connections")), false);
  assert.equal(isThrottle(Reply.of(421, "", "Too many connections")), true);
});
