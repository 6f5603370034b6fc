import assert from "node:assert/strict";
import {
  formatMail,
  formatRcpt,
  parseMailArgument,
  parseRcptArgument,
} from "../../../src/smtp/mail_parameters.ts";
import { parsePathArgument, type PathArgument } from "../../../src/smtp/path.ts";

const everything = () => true;
const nothing = () => false;

function path(argument: string, keyword: "FROM" | "TO"): PathArgument {
  const parsed = parsePathArgument(argument, keyword);
  assert.ok("parameters" in parsed, argument);
  return parsed;
}

const mail = (parameters: string) => parseMailArgument(path(`FROM:<a@example.com> ${parameters}`, "FROM"));
const rcpt = (parameters: string) => parseRcptArgument(path(`TO:<a@example.net> ${parameters}`, "TO"), false);

Deno.test("parseMailArgument understands every parameter that is offered", () => {
  assert.deepEqual(mail("SIZE=12 BODY=8bitmime SMTPUTF8 RET=FULL ENVID=a+2Bb AUTH=<>"), {
    reversePath: "a@example.com",
    size: 12,
    body: "8BITMIME",
    smtputf8: true,
    dsn: ["RET=FULL", "ENVID=a+2Bb"],
  });
});

const MAIL_FAULTS: readonly (readonly [parameters: string, code: number])[] = [
  ["SIZE", 501],
  ["SIZE=-1", 501],
  ["SIZE=1e3", 501],
  ["SIZE=123456789012345678901", 501],
  ["BODY=BINARYMIME", 501],
  ["SMTPUTF8=1", 501],
  ["RET=ALL", 501],
  ["ENVID=+", 501],
  ["ENVID=+2b", 501],
  [`ENVID=${"x".repeat(101)}`, 501],
  ["AUTH=a+zz", 501],
  ["AUTH", 501],
  ["NOTIFY=NEVER", 555],
  ["REQUIRETLS", 555],
  ["MT-PRIORITY=3", 555],
  ["CONSTRUCTOR=1", 555],
];

for (const [parameters, code] of MAIL_FAULTS) {
  Deno.test(`parseMailArgument refuses ${parameters.slice(0, 20)} with ${code}`, () => {
    const fault = mail(parameters);
    assert.ok("fault" in fault);
    assert.equal(fault.code, code);
  });
}

const RCPT_FAULTS: readonly (readonly [parameters: string, code: number])[] = [
  ["NOTIFY", 501],
  ["NOTIFY=NEVER,SUCCESS", 501],
  ["NOTIFY=SUCCESS,", 501],
  ["ORCPT=bob@example.org", 501],
  [`ORCPT=rfc822;${"x".repeat(500)}`, 501],
  ["SIZE=1", 555],
];

for (const [parameters, code] of RCPT_FAULTS) {
  Deno.test(`parseRcptArgument refuses ${parameters.slice(0, 20)} with ${code}`, () => {
    const fault = rcpt(parameters);
    assert.ok("fault" in fault);
    assert.equal(fault.code, code);
  });
}

Deno.test("parseMailArgument and parseRcptArgument want SMTPUTF8 for addresses outside of ASCII", () => {
  const international = path("FROM:<\u00e4@example.com>", "FROM");
  assert.equal((parseMailArgument(international) as { code: number }).code, 553);
  assert.equal((parseRcptArgument(international, false) as { code: number }).code, 553);
  assert.ok("forwardPath" in parseRcptArgument(international, true));
});

Deno.test("parseRcptArgument wants SMTPUTF8 for an ORCPT outside of ASCII (RFC 6533 §3)", () => {
  const argument = (orcpt: string) => path(`TO:<a@example.net> ORCPT=utf-8;${orcpt}`, "TO");
  assert.equal((parseRcptArgument(argument("\u00e4@example.net"), false) as { code: number }).code, 553);
  assert.ok("forwardPath" in parseRcptArgument(argument("\u00e4@example.net"), true));
  assert.ok("forwardPath" in parseRcptArgument(argument("\\x{e4}@example.net"), false));
});

Deno.test("parseMailArgument and parseRcptArgument take no letter for one of ASCII", () => {
  for (const parameters of ["RET=HDR\u017f", "BODY=8B\u0131TMIME", "SIZE=\u0661"]) {
    assert.equal((mail(parameters) as { code: number }).code, 501);
  }
  assert.equal((rcpt("NOTIFY=\u017fUCCESS") as { code: number }).code, 501);
});

Deno.test("formatMail and formatRcpt write what the server offers, and only that", () => {
  const parsed = mail("SIZE=12 BODY=8BITMIME RET=HDRS AUTH=<>");
  assert.ok("reversePath" in parsed);
  assert.equal(formatMail(parsed, everything), "MAIL FROM:<a@example.com> SIZE=12 BODY=8BITMIME RET=HDRS");
  assert.equal(formatMail(parsed, nothing), "MAIL FROM:<a@example.com>");
  assert.equal(formatMail(parsed, (name) => name === "SIZE"), "MAIL FROM:<a@example.com> SIZE=12");
  const recipient = rcpt("NOTIFY=SUCCESS ORCPT=rfc822;b@example.org");
  assert.ok("forwardPath" in recipient);
  assert.equal(
    formatRcpt(recipient, everything),
    "RCPT TO:<a@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b@example.org",
  );
  assert.equal(formatRcpt(recipient, nothing), "RCPT TO:<a@example.net>");
});
