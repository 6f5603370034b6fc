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
  [
    "send-as-refused",
    554,
    "5.2.0",
    "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message",
  ],
  ["license-missing", 550, "5.2.253", "The mailbox has no licence"],
  ["quota-exceeded", 554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException"],
  [
    "quota-exceeded",
    554,
    "5.2.0",
    "The message can't be submitted because the sender's submission quota was exceeded",
  ],
  ["daily-limit", 550, "5.4.5", "Daily user sending limit exceeded. - gsmtp"],
  ["daily-limit", 550, "5.4.5", "You have reached a limit for sending mail. - gsmtp"],
  [
    "daily-limit",
    550,
    "5.1.90",
    "Your message can't be sent because you've reached your daily limit for recipients",
  ],
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

/** What a client or a foreign server has brought in says nothing about the account. */
const FOREIGN_WORDS: readonly [cause: Cause, code: number, enhancedCode: string, text: string][] = [
  ["other", 550, "5.1.1", "<v5.4.5@example.net>: Recipient address rejected: User unknown"],
  ["other", 550, "5.1.1", '<"daily sending limit"@example.net>: Recipient address rejected'],
  ["other", 550, "5.1.1", '<"a> daily limit <"@example.net>: Recipient address rejected'],
  ["other", 550, "5.1.1", '<"a\\"> daily limit <"@example.net>: Recipient address rejected'],
  ["other", 550, "5.1.1", 'Recipient "submission quota"@example.net rejected'],
  ["other", 550, "5.1.1", "Recipient <submission quota that was cut o"],
  ["other", 550, "5.1.1", '<"a\u2028daily limit"@example.net>: User unknown'],
  ["other", 550, "5.1.1", "SubmissionQuotaExceeded@example.net: User unknown"],
  ["other", 550, "5.1.1", "a@sendasdenied: User unknown"],
  ["other", 550, "5.7.1", "Service refused, rejected by mx1.example [198.15.4.52]"],
  ["other", 550, "5.7.1", "Service refused, rejected by mx1.example [198.5.4.5]"],
  ["other", 550, "5.7.606", "Access denied, banned sending IP"],
  ["other", 550, "5.2.25", "5.2.2510"],
  ["other", 550, "5.4.50", "Unroutable"],
  ["other", 552, "5.2.2", "The account that you tried to reach is over quota"],
  ["temporary", 450, "4.1.1", "The recipient's daily limit of messages is reached"],
  ["temporary", 451, "4.3.0", "The submission quota can't be looked up now"],
  ["other", 550, "5.7.1", "Too many login attempts"],
];
for (const [cause, code, enhancedCode, text] of FOREIGN_WORDS) {
  Deno.test(`diagnose takes no foreign words for the provider's: "${code} ${enhancedCode} ${text}"`, () => {
    assert.equal(diagnose(Reply.of(code, enhancedCode, text)).cause, cause);
  });
}

Deno.test("isThrottle takes no permanent refusal for a request to slow down", () => {
  assert.equal(isThrottle(Reply.of(550, "5.7.1", "Too many connections")), false);
  assert.equal(isThrottle(Reply.of(421, "", "Too many connections")), true);
});
