import assert from "node:assert/strict";
import { Extensions } from "../../../src/smtp/extensions.ts";
import { Deadlines } from "../../../src/transport/deadlines.ts";
import { UpstreamConnection } from "../../../src/upstream/connection.ts";
import { signIn } from "../../../src/upstream/sign_in.ts";
import { DialError } from "../../../src/upstream/upstream_error.ts";
import { type Answer, MemoryStream } from "./memory_stream.ts";

const accessToken = "ya29.secret-token";
const identity = { user: "sender@example.com", accessToken };

/** Signs in at a provider that answers so; returns what was sent, and the error if there was one. */
async function dialogue(auth: string, answer: Answer, who = identity) {
  using deadlines = new Deadlines();
  const stream = new MemoryStream(answer);
  using connection = new UpstreamConnection(stream, { deadlines, now: Date.now });
  connection.extensions = new Extensions([auth]);
  try {
    await signIn(connection, who);
    return { sent: stream.writes, error: undefined };
  } catch (error) {
    assert.ok(error instanceof DialError);
    return { sent: stream.writes, error };
  }
}

/** 334 to AUTH, then `challenge` to the token, then 535. */
function challenging(challenge: string): Answer {
  const answers = ["334 ", `334 ${challenge}`, "535 5.7.8 Username and Password not accepted"];
  return () => answers.shift();
}

Deno.test("signIn shows the token in a step of its own", async () => {
  const answers = ["334 ", "235 2.7.0 Accepted"];
  const { sent, error } = await dialogue("AUTH LOGIN XOAUTH2 OAUTHBEARER", () => answers.shift());
  const response = btoa(`user=sender@example.com\x01auth=Bearer ${accessToken}\x01\x01`);
  assert.equal(error, undefined);
  assert.deepEqual(sent, ["AUTH XOAUTH2\r\n", `${response}\r\n`]);
});

Deno.test("signIn uses OAUTHBEARER where only that is offered", async () => {
  const answers = ["334 ", "235 2.7.0 Accepted"];
  const { sent } = await dialogue("AUTH PLAIN OAUTHBEARER", () => answers.shift());
  const response = btoa(`n,a=sender@example.com,\x01auth=Bearer ${accessToken}\x01\x01`);
  assert.deepEqual(sent, ["AUTH OAUTHBEARER\r\n", `${response}\r\n`]);
});

Deno.test("signIn tries XOAUTH2 where nothing is listed", async () => {
  const answers = ["334 ", "235 2.7.0 Accepted"];
  assert.equal((await dialogue("SIZE 100", () => answers.shift())).sent[0], "AUTH XOAUTH2\r\n");
});

Deno.test("signIn hides the token and its response where a server sends them back", async () => {
  const response = btoa(`user=sender@example.com\x01auth=Bearer ${accessToken}\x01\x01`);
  const answers = ["334 ", `535-5.7.8 no ${response}\r\n535 5.7.8 not ${accessToken}`];
  const { error } = await dialogue("AUTH XOAUTH2", () => answers.shift());
  assert.equal(error?.reply?.text(), "535 5.7.8 no … / 5.7.8 not …");
  assert.doesNotMatch(error.message, /secret-token/);
});

Deno.test("signIn answers the error challenge and reports all of it but the token", async () => {
  const challenge = {
    status: "400",
    schemes: "Bearer",
    scope: "https://mail.google.com/",
    token: accessToken,
  };
  const { sent, error } = await dialogue("AUTH XOAUTH2", challenging(btoa(JSON.stringify(challenge))));
  assert.equal(sent[2], "\r\n");
  assert.deepEqual([error?.phase, error?.reply?.code, error?.challengeStatus], ["auth", 535, "400"]);
  assert.match(
    error!.message,
    /\(challenge: status 400, schemes Bearer, scope https:\/\/mail\.google\.com\/\)/,
  );
});

Deno.test("signIn answers the challenge of OAUTHBEARER with 0x01", async () => {
  const challenge = btoa(JSON.stringify({ status: "invalid_token", scope: "mail" }));
  const { sent, error } = await dialogue("AUTH OAUTHBEARER", challenging(challenge));
  assert.deepEqual([sent[2], error?.challengeStatus], ["AQ==\r\n", "invalid_token"]);
});

const odd: readonly [what: string, challenge: string, status: string][] = [
  ["the token itself", btoa(JSON.stringify({ status: `bad ${accessToken}`, scope: accessToken })), "bad …"],
  ["control characters", btoa(JSON.stringify({ status: "4\r\n00", scope: "a\tb" })), "4??00"],
  ["no status", btoa("{}"), "absent"],
  ["a number", btoa('{"status":401}'), "401"],
  ["no object", btoa("null"), "unreadable"],
  ["no JSON", btoa("Go away"), "unreadable"],
  ["no base64", "%%%", "unreadable"],
  ["very much text", btoa(JSON.stringify({ status: "x".repeat(500) })), "x".repeat(80)],
];
for (const [what, challenge, status] of odd) {
  Deno.test(`signIn copes with a challenge that holds ${what}`, async () => {
    const { error } = await dialogue("AUTH XOAUTH2", challenging(challenge));
    assert.equal(error?.challengeStatus, status);
    assert.ok(!error.message.includes(accessToken));
  });
}

Deno.test("signIn reports a refusal without a challenge", async () => {
  const answers = ["334 ", "535 5.7.3 Authentication unsuccessful"];
  const { error } = await dialogue("AUTH XOAUTH2", () => answers.shift());
  assert.deepEqual([error?.reply?.code, error?.challengeStatus], [535, undefined]);
});

Deno.test("signIn reports a mechanism that is refused, without showing the token", async () => {
  const { sent, error } = await dialogue("AUTH PLAIN", () => "504 5.5.4 Unrecognized authentication type");
  assert.deepEqual([sent.length, error?.reply?.code], [1, 504]);
});

Deno.test("signIn sends no token that is longer than SMTP allows", async () => {
  const { sent, error } = await dialogue("AUTH XOAUTH2", () => "334 ", {
    ...identity,
    accessToken: "x".repeat(10_000),
  });
  assert.equal(sent.length, 0);
  assert.match(error!.message, /longer than SMTP allows/);
});
