/** RFC 4954, SMTP Service Extension for Authentication, with PLAIN (RFC 4616) and LOGIN. */

import assert from "node:assert/strict";
import { ACCOUNT, PASSWORD } from "../support/proxy.ts";
import { base64, dialogue, plain } from "./play.ts";

const GREETED = `
  S: 220 *
  C: EHLO client.example
  S: 250 *
`;
const USERNAME = "VXNlcm5hbWU6";
const WORD = "UGFzc3dvcmQ6";

dialogue(
  "RFC 4954 §4: PLAIN with an initial response",
  `${GREETED}
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
`,
);

dialogue(
  "RFC 4954 §4: PLAIN without one; the challenge is '334 ' and nothing else",
  `${GREETED}
  C: auth plain
  S: 334 
  C: ${plain()}
  S: 235 2.7.0 *
`,
);

dialogue(
  "LOGIN: both challenges, in this order and spelling",
  `${GREETED}
  C: AUTH LOGIN
  S: 334 ${USERNAME}
  C: ${base64(ACCOUNT)}
  S: 334 ${WORD}
  C: ${base64(PASSWORD)}
  S: 235 2.7.0 *
`,
);

dialogue(
  "LOGIN: the user name as initial response",
  `${GREETED}
  C: AUTH LOGIN ${base64(ACCOUNT)}
  S: 334 ${WORD}
  C: ${base64(PASSWORD)}
  S: 235 2.7.0 *
`,
);

dialogue(
  "RFC 4616 §2: an authorization identity that is one's own, and one that isn't",
  `${GREETED}
  C: AUTH PLAIN ${plain(ACCOUNT, PASSWORD, "other@example.com")}
  S: 535 5.7.8 *
  C: AUTH PLAIN ${plain(ACCOUNT, PASSWORD, ACCOUNT.toUpperCase())}
  S: 235 2.7.0 *
`,
);

dialogue(
  "RFC 4954 §6: an unknown user and a wrong password read the same",
  `${GREETED}
  C: AUTH PLAIN ${plain("nobody@example.com")}
  S: 535 5.7.8 Authentication credentials invalid
  C: AUTH PLAIN ${plain(ACCOUNT, "wrong")}
  S: 535 5.7.8 Authentication credentials invalid
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
`,
);

dialogue(
  "RFC 4954 §4: cancelled by a lone asterisk",
  `${GREETED}
  C: AUTH PLAIN
  S: 334 
  C: *
  S: 501 5.7.0 *
  C: AUTH LOGIN
  S: 334 ${USERNAME}
  C: *
  S: 501 5.7.0 *
  C: AUTH LOGIN ${base64(ACCOUNT)}
  S: 334 ${WORD}
  C: *
  S: 501 5.7.0 *
  C: NOOP
  S: 250 2.0.0 *
`,
);

const UNDECODABLE = ["A", "AA=A", "AGE_YgBj", "====", "AGEAYgBj AGEA", "AGEAYgBj\\"];

dialogue(
  "RFC 4954 §4: what can't be decoded is 501 5.5.2, as initial response and as response",
  GREETED + UNDECODABLE.map((response) => `
  C: AUTH PLAIN ${response}
  S: 501 5.5.2 *
  C: AUTH PLAIN
  S: 334 
  C: ${response}
  S: 501 5.5.2 *
`).join("") + `
  C: AUTH LOGIN
  S: 334 ${USERNAME}
  C: A
  S: 501 5.5.2 *
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
`,
);

dialogue(
  "RFC 4616 §2: messages of the wrong shape are 501 5.5.2",
  GREETED + ["a", "a\0b", "\0\0b", "\0a\0", "\0a\0b\0c"].map((message) => `
  C: AUTH PLAIN ${base64(message)}
  S: 501 5.5.2 *
`).join("") + `
  C: AUTH PLAIN /w==
  S: 501 5.5.2 *
`,
);

dialogue(
  "RFC 4954 §4: '=' is a response of no octets, which is no PLAIN message and no user name",
  `${GREETED}
  C: AUTH PLAIN =
  S: 501 5.5.2 *
  C: AUTH LOGIN =
  S: 334 ${WORD}
  C: ${base64(PASSWORD)}
  S: 501 5.5.2 *
`,
);

dialogue(
  "RFC 4954 §4: mechanisms that aren't offered",
  `${GREETED}
  C: AUTH CRAM-MD5
  S: 504 5.5.4 *
  C: AUTH XOAUTH2 ${plain()}
  S: 504 5.5.4 *
  C: AUTH
  S: 504 5.5.4 *
`,
);

dialogue(
  "RFC 4954 §4: AUTH after AUTH, and inside a transaction",
  `${GREETED}
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
  C: AUTH PLAIN ${plain()}
  S: 503 5.5.1 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: AUTH PLAIN ${plain()}
  S: 503 5.5.1 *
  C: RCPT TO:<a@example.net>
  S: 250 *
`,
);

dialogue(
  "RFC 4954 §4: AUTH before EHLO",
  `
  S: 220 *
  C: AUTH PLAIN ${plain()}
  S: 503 5.5.1 *
`,
);

dialogue(
  "RFC 4954 §6: what needs AUTH, and what doesn't",
  `${GREETED}
  C: MAIL FROM:<${ACCOUNT}>
  S: 530 5.7.0 *
  C: RCPT TO:<a@example.net>
  S: 530 5.7.0 *
  C: DATA
  S: 530 5.7.0 *
  C: VRFY a
  S: 530 5.7.0 *
  C: NOOP
  S: 250 2.0.0 *
  C: RSET
  S: 250 2.0.0 *
  C: EHLO client.example
  S: 250 *
  C: QUIT
  S: 221 2.0.0 *
`,
);

dialogue(
  "RFC 4954 §4: a response of 12,286 octets is read, one of 12,287 is 500 5.5.6",
  `${GREETED}
  C: AUTH PLAIN
  S: 334 
  C: ${"A".repeat(12_284)}
  S: 501 5.5.2 *
  C: AUTH PLAIN
  S: 334 
  C: ${"A".repeat(12_288)}
  S: 500 5.5.6 *
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
`,
);

dialogue(
  "RFC 4954 §4: an AUTH command with its response has 12,288 octets, other commands as few as ever",
  `${GREETED}
  C: AUTH PLAIN ${"A".repeat(12_272)}
  S: 501 5.5.2 *
  C: AUTH PLAIN ${"A".repeat(12_276)}
  S: 500 5.5.2 *
  C: NOOP ${"x".repeat(2042)}
  S: 500 5.5.2 *
  C: NOOP
  S: 250 2.0.0 *
`,
);

dialogue(
  "RFC 4954 §9: three refused sign-ins end the session, not fewer",
  `${GREETED}
  C: AUTH PLAIN ${plain(ACCOUNT, "1")}
  S: 535 5.7.8 *
  C: AUTH LOGIN ${base64(ACCOUNT)}
  S: 334 ${WORD}
  C: ${base64("2")}
  S: 535 5.7.8 *
  C: AUTH PLAIN ${plain(ACCOUNT, "3")}
  S: 535 5.7.8 *
  S: 421 4.7.0 *
  S: <end>
`,
);

dialogue(
  "RFC 4954 §6: an address that failed too often reads 454, whatever it shows",
  `${GREETED}
  C: AUTH PLAIN ${plain(ACCOUNT, "1")}
  S: 535 5.7.8 *
  C: AUTH PLAIN ${plain()}
  S: 454 4.7.0 *
`,
  { authenticator: { maxFailures: 1 } },
);

dialogue(
  "RFC 4954 §4: PLAIN with an initial response may stand inside a group",
  `${GREETED}
  C: AUTH PLAIN ${plain()}
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<a@example.net>
  C: DATA
  S: 235 2.7.0 *
  S: 250 *
  S: 250 *
  S: 354 *
  C: .
  S: 250 *
`,
);

dialogue(
  "RFC 4954 §5: AUTH= of MAIL is taken and not passed on",
  `${GREETED}
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
  C: MAIL FROM:<${ACCOUNT}> AUTH=e+3Dmc2@example.com
  S: 250 *
  C: RSET
  S: 250 *
  C: MAIL FROM:<${ACCOUNT}> AUTH=<>
  S: 250 *
  C: RSET
  S: 250 *
  C: MAIL FROM:<${ACCOUNT}> AUTH=e+3dmc2
  S: 501 5.5.4 *
`,
  {
    verify({ upstream }) {
      const lines = upstream.connections.flatMap(({ commandLines }) => commandLines);
      assert.deepEqual(lines.filter((line) => line.startsWith("MAIL")), [
        `MAIL FROM:<${ACCOUNT}>`,
        `MAIL FROM:<${ACCOUNT}>`,
      ]);
    },
  },
);
