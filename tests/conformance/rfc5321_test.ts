/** RFC 5321, Simple Mail Transfer Protocol. */

import assert from "node:assert/strict";
import { ACCOUNT } from "../support/proxy.ts";
import { dialogue, SIGNED_IN } from "./play.ts";

const text = (octets: Uint8Array) => new TextDecoder().decode(octets);

dialogue(
  "RFC 5321 §3.1, §4.1.1.1: greeting, EHLO with what is offered, HELO without",
  `
  S: 220 proxy.test ESMTP *
  C: EHLO client.example
  S: 250-proxy.test
  S: 250-PIPELINING
  S: 250-SIZE
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250-DSN
  S: 250-ENHANCEDSTATUSCODES
  S: 250 AUTH PLAIN LOGIN
  C: HELO client.example
  S: 250 proxy.test
`,
);

dialogue(
  "RFC 5321 §4.3.2: EHLO without an argument is a syntax error, an address literal is one",
  `
  S: 220 *
  C: NOOP
  C: EHLO
  S: 250 2.0.0 *
  S: 501 5.5.4 *
  C: RSET
  C: HELO
  S: 250 2.0.0 *
  S: 501 5.5.4 *
  C: EHLO [IPv6:2001:db8::1]
  S: 250 *
`,
);

dialogue(
  "RFC 5321 §4.1.4: commands out of order",
  `
  S: 220 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 503 5.5.1 *
  C: RCPT TO:<a@example.net>
  S: 503 5.5.1 *
  C: DATA
  S: 503 5.5.1 *
${SIGNED_IN.replace(/.*220.*\n/, "")}
  C: RCPT TO:<a@example.net>
  S: 503 5.5.1 *
  C: DATA
  S: 503 5.5.1 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 503 5.5.1 *
  C: RCPT TO:<a@example.net>
  S: 250 *
`,
);

dialogue(
  "RFC 5321 §3.3: a whole transaction, and another one behind it",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 2.1.0 OK
  C: RCPT TO:<a@example.net>
  S: 250 2.1.5 OK
  C: DATA
  S: 354 Go ahead
  C: Subject: one
  C:
  C: ..a stuffed dot
  C: .
  S: 250 2.0.0 OK 1-1
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 2.1.0 OK
  C: RCPT TO:<a@example.net>
  S: 250 2.1.5 OK
  C: DATA
  S: 354 Go ahead
  C: .
  S: 250 2.0.0 OK 1-2
  C: QUIT
  S: 221 2.0.0 *
  S: <end>
`,
  {
    verify({ upstream }) {
      assert.deepEqual(upstream.messages.map(({ mailData }) => text(mailData)), [
        "Subject: one\r\n\r\n.a stuffed dot\r\n",
        "",
      ]);
    },
  },
);

dialogue(
  "RFC 5321 §3.3: DATA without a valid recipient",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: DATA
  S: 554 5.5.1 No valid recipients
  C: RCPT TO:<a@example.net>
  S: 250 *
`,
);

dialogue(
  "RFC 5321 §2.4, §4.1.1: verbs in any case, blanks at the end, spaces around the path",
  `${SIGNED_IN}
  C: mAiL fRoM:<${ACCOUNT}>
  S: 250 *
  C: rcpt TO: <a@example.net>
  S: 250 *
  C: Rcpt to:a@example.net
  S: 250 *
  C: noop
  S: 250 2.0.0 *
  C: rset
  S: 250 2.0.0 *
`,
);

dialogue(
  "RFC 5321 §4.1.2, §4.1.1.3, §4.5.1: null path, source route, quoted local part, literal, Postmaster",
  `${SIGNED_IN}
  C: MAIL FROM:<>
  S: 250 *
  C: RCPT TO:<@relay.example,@other.example:a@example.net>
  S: 250 *
  C: RCPT TO:<"a b>\\"c"@example.net>
  S: 250 *
  C: RCPT TO:<a@[192.0.2.1]>
  S: 250 *
  C: RCPT TO:<Postmaster>
  S: 250 *
  C: DATA
  S: 354 *
  C: .
  S: 250 *
`,
  {
    verify({ upstream }) {
      const { commands } = upstream.messages[0]!;
      assert.deepEqual(commands.slice(0, 5).map(text), [
        "MAIL FROM:<>\r\n",
        "RCPT TO:<a@example.net>\r\n",
        'RCPT TO:<"a b>\\"c"@example.net>\r\n',
        "RCPT TO:<a@[192.0.2.1]>\r\n",
        "RCPT TO:<Postmaster>\r\n",
      ]);
    },
  },
);

dialogue(
  "RFC 5321 §4.1.2: addresses that are none",
  `${SIGNED_IN}
  C: MAIL FROM:
  S: 501 5.1.7 *
  C: MAIL TO:<${ACCOUNT}>
  S: 501 5.1.7 *
  C: MAIL FROM:<nobody>
  S: 501 5.1.7 *
  C: MAIL FROM:<@example.com>
  S: 501 5.1.7 *
  C: MAIL FROM:<@example.com:>
  S: 501 5.1.7 *
  C: MAIL FROM:<${ACCOUNT}
  S: 501 5.1.7 *
  C: MAIL FROM:<a b@example.com>
  S: 501 5.1.7 *
  C: MAIL FROM:<"a"b"@example.com>
  S: 501 5.1.7 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<>
  S: 501 5.1.3 *
  C: RCPT TO:<a@>
  S: 501 5.1.3 *
  C: RCPT FROM:<a@example.net>
  S: 501 5.1.3 *
`,
);

dialogue(
  "RFC 5321 §4.5.3.1: 64 octets of local part and 256 of path, and no more",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<${"a".repeat(64)}@example.net>
  S: 250 *
  C: RCPT TO:<${"a".repeat(65)}@example.net>
  S: 501 5.1.3 *
  C: RCPT TO:<a@${"b".repeat(252)}>
  S: 250 *
  C: RCPT TO:<a@${"b".repeat(253)}>
  S: 501 5.1.3 *
`,
);

dialogue(
  "RFC 5321 §4.5.3.1.2: 255 octets of name in EHLO and HELO, and no more",
  `
  S: 220 *
  C: EHLO ${"x".repeat(256)}
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 503 5.5.1 *
  C: HELO ${"x".repeat(256)}
  S: 501 5.5.4 *
  C: EHLO ${"x".repeat(255)}
  S: 250 *
`,
);

dialogue(
  "RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3: the trace field names the protocol of session and message",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> SMTPUTF8
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: DATA
  S: 354 *
  C: .
  S: 250 *
  C: HELO client.example
  S: 250 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: DATA
  S: 354 *
  C: .
  S: 250 *
`,
  {
    submission: { addReceivedHeader: true },
    verify({ upstream }) {
      const protocols = upstream.messages.map(({ body }) => / with (\w+) id /.exec(text(body))?.[1]);
      assert.deepEqual(protocols, ["UTF8SMTPA", "SMTP"]);
    },
  },
);

dialogue(
  "RFC 5321 §4.1.1.11: parameters that are unknown, malformed or there twice",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}> FOO=bar
  S: 555 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> SIZE=many
  S: 501 5.5.4 *
  C: MAIL FROM:<${ACCOUNT}> =x
  S: 501 5.1.7 *
  C: MAIL FROM:<${ACCOUNT}> SIZE=1 SIZE=2
  S: 501 5.1.7 *
  C: MAIL FROM:<${ACCOUNT}>SIZE=1
  S: 501 5.1.7 *
  C: MAIL FROM:<${ACCOUNT}> SIZE=1
  S: 250 *
  C: RCPT TO:<a@example.net> SIZE=1
  S: 555 5.5.4 *
`,
);

dialogue(
  "RFC 5321 §4.1.1.5: RSET drops the transaction, and takes no argument",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: RSET now
  S: 501 5.5.4 *
  C: RSET
  S: 250 2.0.0 *
  C: RCPT TO:<a@example.net>
  S: 503 5.5.1 *
`,
);

dialogue(
  "RFC 5321 §4.1.4: EHLO drops the transaction and keeps who is signed in",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: EHLO again.example
  S: 250 *
  C: DATA
  S: 503 5.5.1 *
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
`,
);

dialogue(
  "RFC 5321 §4.1.1.6 to §4.1.1.10: VRFY, EXPN, HELP, NOOP, QUIT",
  `${SIGNED_IN}
  C: VRFY someone
  S: 252 2.1.5 *
  C: EXPN list
  S: 502 5.5.1 *
  C: HELP MAIL
  S: 214 2.0.0 *
  C: NOOP anything at all
  S: 250 2.0.0 *
  C: TURN
  S: 502 5.5.1 *
  C: QUIT now
  S: 501 5.5.4 *
  C: QUIT
  S: 221 2.0.0 *
  S: <end>
`,
);

dialogue(
  "RFC 5321 §4.2.4: unknown commands, and lines that are none",
  `${SIGNED_IN}
  C: FOO
  S: 500 5.5.1 *
  C:
  S: 500 5.5.2 *
  C: MA\x01IL FROM:<${ACCOUNT}>
  S: 500 5.5.2 *
  C: BDAT 10
  S: 502 5.5.1 *
  C: NOOP
  S: 250 2.0.0 *
`,
);

dialogue(
  "RFC 5321 §4.5.3.1.4: a command line of 2,048 octets and one of 2,049",
  `${SIGNED_IN}
  C: NOOP ${"x".repeat(2041)}
  S: 250 2.0.0 *
  C: NOOP ${"x".repeat(2042)}
  S: 500 5.5.2 *
  C: NOOP
  S: 250 2.0.0 *
`,
);

dialogue(
  "RFC 5321 §4.5.2: dots of every kind at the start of a line",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: DATA
  S: 354 *
  C: ..
  C: ...
  C: .x
  C: . 
  C: x.
  C: .
  S: 250 *
`,
  {
    verify({ upstream }) {
      assert.equal(text(upstream.messages[0]!.body), "..\r\n...\r\n.x\r\n. \r\nx.\r\n.\r\n");
    },
  },
);

dialogue(
  "RFC 5321 §4.5.3.1.10: too many recipients are 452, and the others stay",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  S: 250 *
  C: RCPT TO:<a@example.net>
  S: 250 *
  C: RCPT TO:<b@example.net>
  S: 452 4.5.3 *
  C: DATA
  S: 354 *
  C: .
  S: 250 *
`,
  { provider: { limits: { recipientsPerMessage: 1 } } },
);
