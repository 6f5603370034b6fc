import assert from "node:assert/strict";
import { relayed, replyForError } from "../../../src/relay/reply_for_error.ts";
import { Reply } from "../../../src/smtp/reply.ts";
import {
  CircuitOpenError,
  DialError,
  PoolBusyError,
  PoolClosedError,
  RateLimitError,
  ThrottledError,
  UpstreamLostError,
} from "../../../src/upstream/upstream_error.ts";
import { TokenFailureError } from "../../support/fixed_tokens.ts";

const dialError = (code: number, enhancedCode: string, text: string) =>
  new DialError("auth", text, { reply: Reply.of(code, enhancedCode, text) });

const ERRORS: readonly (readonly [error: Error, reply: RegExp, why: string])[] = [
  [new DialError("connect", "connection refused"), /^451 4\.4\.1 .*connection refused/, "no connection"],
  [new DialError("tls", "UnknownIssuer"), /^451 4\.4\.1 .*UnknownIssuer/, "a bad certificate"],
  [
    new DialError("greeting", "x", { reply: Reply.of(554, "5.7.1", "no") }),
    /^451 4\.4\.1 /,
    "a refusal at the greeting",
  ],
  [
    new DialError("greeting", "x", { reply: Reply.of(421, "4.3.2", "busy") }),
    /^451 4\.7\.1 .*busy/,
    "a throttle there",
  ],
  [
    dialError(535, "5.7.8", "not accepted"),
    /^454 4\.7\.0 .*not accepted .*\(sign-in-refused\)/,
    "a refused sign-in",
  ],
  [
    dialError(535, "5.7.139", "SmtpClientAuthentication is disabled"),
    /^454 4\.7\.0 .*\(smtp-auth-disabled\)/,
    "SMTP AUTH off",
  ],
  [dialError(454, "4.7.0", "too many logins"), /^451 4\.7\.1 .*too many logins/, "a throttled sign-in"],
  [dialError(432, "4.3.2", "concurrent connections"), /^451 4\.7\.1 /, "Microsoft's limit"],
  [new UpstreamLostError("RCPT", "reset"), /^451 4\.4\.2 .*RCPT: reset/, "a lost connection"],
  [new CircuitOpenError("smtp.example"), /^451 4\.4\.1 .*smtp\.example/, "an open circuit"],
  [new PoolBusyError("all busy"), /^451 4\.3\.2 .*all busy/, "a wait that was too long"],
  [new PoolClosedError(), /^451 4\.3\.2 .*shutting down/, "a stop"],
  [new ThrottledError(5000, "asked"), /^451 4\.7\.1 .*5 s/, "a back-off"],
  [
    new RateLimitError(9000, "rate limit of 30 messages a minute"),
    /^451 4\.7\.1 .*rate limit of 30/,
    "a rate",
  ],
  [new TokenFailureError("NEEDS_AUTHORIZATION", "revoked"), /^454 4\.7\.0 .*revoked/, "a dead grant"],
  [new TokenFailureError("TOKEN_UNAVAILABLE", "503"), /^454 4\.7\.0 .*503/, "no token"],
];

for (const [error, expected, why] of ERRORS) {
  Deno.test(`replyForError defers ${why} with a code and its cause, never 5xx`, () => {
    const reply = replyForError(error)!;
    assert.match(reply.text(), expected);
    assert.ok(reply.isTransient);
  });
}

Deno.test("replyForError leaves defects and cancellations to their callers", () => {
  for (
    const error of [new TypeError("x"), new DOMException("x", "AbortError"), "text", undefined, {
      code: "DIAL",
    }]
  ) {
    assert.equal(replyForError(error), undefined);
  }
});

Deno.test("relayed hands replies on as they are, but for 421", () => {
  const reply = Reply.of(550, "5.1.1", "No");
  assert.equal(relayed(reply), reply);
  assert.equal(relayed(Reply.of(421, "4.7.0", "later")).text(), "451 4.7.0 later");
});
