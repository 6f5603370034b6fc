/** RFC 1870 (SIZE), 3207 (STARTTLS), 3461 (DSN), 6152 (8BITMIME), 6531 (SMTPUTF8), 9422 (LIMITS), 2034 (reply codes). */

import assert from "node:assert/strict";
import { ACCOUNT } from "../support/proxy.ts";
import { dialogue, plain, SIGNED_IN } from "./play.ts";

const text = (octets: Uint8Array) => new TextDecoder().decode(octets);

dialogue(
  "RFC 1870 §3, §6: SIZE is offered, and checked at MAIL",
  `
  S: 220 *
  C: EHLO client.example
  S: 250-proxy.test
  S: 250-PIPELINING
  S: 250-SIZE 1000
  S: 250 *
  C: AUTH PLAIN ${plain()}
  S: 235 *
  C: MAIL FROM:<${ACCOUNT}> SIZE=1001
  S: 552 5.3.4 *
  C: MAIL FROM:<${ACCOUNT}> SIZE=123456789012345678901
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> SIZE
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> SIZE=1000
  S: 250 *
`,
  { provider: { limits: { messageOctets: 1000 } } },
);

dialogue(
  "RFC 1870 §6.3: a message that is larger than it said",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> SIZE=10
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: DATA
  S: 354 *
  C: ${"x".repeat(99)}
  C: .
  S: 552 5.3.4 *
  C: NOOP
  S: 250 *
`,
  {
    provider: { limits: { messageOctets: 100 } },
    verify: ({ upstream }) => assert.equal(upstream.messages.length, 0),
  },
);

dialogue(
  "RFC 3207 §4, §4.2: STARTTLS, and nothing of what was before it",
  `
  S: 220 *
  C: EHLO client.example
  S: 250 AUTH PLAIN LOGIN
  C: STARTTLS
  S: 220 2.0.0 *
  C: <tls>
  C: MAIL FROM:<${ACCOUNT}>
  S: 503 5.5.1 *
  C: EHLO client.example
  S: 250 AUTH PLAIN LOGIN
  C: STARTTLS
  S: 503 5.5.1 *
  C: AUTH PLAIN ${plain()}
  S: 235 *
`,
  { listeners: [{ security: "starttls" }] },
);

dialogue(
  "RFC 3207 §4, §4.1: a listener that wants TLS first says so",
  `
  S: 220 *
  C: EHLO client.example
  S: 250 STARTTLS
  C: AUTH PLAIN ${plain()}
  S: 530 5.7.0 Must issue a STARTTLS command first
  C: MAIL FROM:<${ACCOUNT}>
  S: 530 5.7.0 Must issue a STARTTLS command first
  C: STARTTLS please
  S: 501 5.5.4 *
  C: NOOP
  S: 250 2.0.0 *
`,
  { listeners: [{ security: "starttls", requireTlsForAuth: true }] },
);

dialogue(
  "RFC 6152 §2: BODY is passed on, and content with the high bit set",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> BODY=8BITMIME
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: DATA
  S: 354 *
  C: Gr\u00fc\u00dfe
  C: .
  S: 250 *
  C: MAIL FROM:<${ACCOUNT}> BODY=7bit
  S: 250 *
  C: RSET
  S: 250 *
  C: MAIL FROM:<${ACCOUNT}> BODY=BINARYMIME
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> BODY
  S: 501 5.5.4 *
`,
  {
    verify({ upstream }) {
      const [message] = upstream.messages;
      assert.equal(text(message!.commands[0]!), `MAIL FROM:<${ACCOUNT}> BODY=8BITMIME\r\n`);
      assert.equal(text(message!.mailData), "Gr\u00fc\u00dfe\r\n");
    },
  },
);

dialogue(
  "RFC 6531 §3.3, §3.4: addresses in UTF-8 with SMTPUTF8, and not without",
  `${SIGNED_IN}
  C: MAIL FROM:<j\u00fcrgen@b\u00fccher.example>
  S: 553 5.6.7 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<\u7528\u6237@\u4f8b\u5b50.example>
  S: 553 5.6.7 *
  C: RCPT TO:<a@example.net> ORCPT=utf-8;\u7528\u6237@example.net
  S: 553 5.6.7 *
  C: RSET
  S: 250 *
  C: MAIL FROM:<j\u00fcrgen@b\u00fccher.example> SMTPUTF8=yes
  S: 501 5.5.4 *
  C: MAIL FROM:<j\u00fcrgen@b\u00fccher.example> SMTPUTF8
  S: 250 *
  C: RCPT TO:<\u7528\u6237@\u4f8b\u5b50.example>
  S: 250 *
  C: DATA
  S: 354 *
  C: .
  S: 250 *
`,
  {
    verify({ upstream }) {
      assert.deepEqual(upstream.messages[0]!.commands.slice(0, 2).map(text), [
        "MAIL FROM:<j\u00fcrgen@b\u00fccher.example> SMTPUTF8\r\n",
        "RCPT TO:<\u7528\u6237@\u4f8b\u5b50.example>\r\n",
      ]);
    },
  },
);

dialogue(
  "RFC 6531 §3.2: a provider without SMTPUTF8 is not sent such mail",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> SMTPUTF8
  S: 550 5.6.7 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
`,
  { upstream: { extensions: ["PIPELINING", "8BITMIME"] } },
);

dialogue(
  "RFC 3461 §4: RET, ENVID, NOTIFY and ORCPT as they stand",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> RET=FULL ENVID=QQ+2B314
  S: 250 *
  C: RCPT TO:<a@example.net> NOTIFY=NEVER
  S: 250 *
  C: RCPT TO:<b@example.net> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Bob+2Bx@example.org
  S: 250 *
  C: DATA
  S: 354 *
  C: .
  S: 250 *
`,
  {
    verify({ upstream }) {
      assert.deepEqual(upstream.messages[0]!.commands.slice(0, 3).map(text), [
        `MAIL FROM:<${ACCOUNT}> RET=FULL ENVID=QQ+2B314\r\n`,
        "RCPT TO:<a@example.net> NOTIFY=NEVER\r\n",
        "RCPT TO:<b@example.net> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Bob+2Bx@example.org\r\n",
      ]);
    },
  },
);

dialogue(
  "RFC 3461 §4: malformed values",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> RET=SOME
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> ENVID=${"x".repeat(101)}
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> ENVID=a+0
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<a@example.net> NOTIFY=NEVER,DELAY
  S: 501 5.5.4 *
  C: RCPT TO:<a@example.net> NOTIFY=SOMETIMES
  S: 501 5.5.4 *
  C: RCPT TO:<a@example.net> ORCPT=nobody
  S: 501 5.5.4 *
  C: RCPT TO:<a@example.net>
  S: 250 *
`,
);

dialogue(
  "RFC 3461 §4.1, RFC 5321 §4.1.1.11: DSN parameters are 555 where the provider has no DSN",
  `
  S: 220 *
  C: EHLO client.example
  S: 250-proxy.test
  S: 250-PIPELINING
  S: 250-SIZE
  S: 250-8BITMIME
  S: 250-ENHANCEDSTATUSCODES
  S: 250 AUTH PLAIN LOGIN
  C: AUTH PLAIN ${plain()}
  S: 235 *
  C: MAIL FROM:<${ACCOUNT}> RET=HDRS
  S: 555 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<a@example.net> NOTIFY=NEVER
  S: 555 5.5.4 *
  C: RCPT TO:<a@example.net>
  S: 250 *
`,
  { upstream: { extensions: ["PIPELINING", "8BITMIME"] } },
);

dialogue(
  "RFC 9422 §3: LIMITS names the recipients of a message",
  `
  S: 220 *
  C: EHLO client.example
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250-ENHANCEDSTATUSCODES
  S: 250-LIMITS RCPTMAX=100
  S: 250 AUTH PLAIN LOGIN
`,
  { provider: { limits: { recipientsPerMessage: 100 } } },
);
