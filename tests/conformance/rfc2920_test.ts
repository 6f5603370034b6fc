/** RFC 2920, Command Pipelining. */

import assert from "node:assert/strict";
import { ACCOUNT } from "../support/proxy.ts";
import { dialogue, plain, SIGNED_IN } from "./play.ts";

dialogue(
  "RFC 2920 §3.1: a group of MAIL, RCPTs and DATA, answered in its order",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<a@example.net>
  C: RCPT TO:<bad@example.net>
  C: RCPT TO:<c@example.net>
  C: DATA
  S: 250 2.1.0 OK
  S: 250 2.1.5 OK
  S: 550 5.1.1 No such user
  S: 250 2.1.5 OK
  S: 354 Go ahead
  C: x
  C: .
  C: QUIT
  S: 250 2.0.0 OK 1-1
  S: 221 2.0.0 *
  S: <end>
`,
  {
    prepare({ upstream }) {
      upstream.always(
        "RCPT",
        ({ line }) => line?.includes("bad") ? { reply: "550 5.1.1 No such user" } : undefined,
      );
    },
    verify({ upstream }) {
      assert.deepEqual(upstream.messages[0]!.forwardPaths, ["a@example.net", "c@example.net"]);
    },
  },
);

dialogue(
  "RFC 2920 §3.1: RSET, MAIL and RCPT anywhere in a group; content is the first of the next",
  `${SIGNED_IN}
  C: RSET
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<a@example.net>
  C: RSET
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<b@example.net>
  C: DATA
  S: 250 2.0.0 *
  S: 250 2.1.0 *
  S: 250 2.1.5 *
  S: 250 2.0.0 *
  S: 250 2.1.0 *
  S: 250 2.1.5 *
  S: 354 *
  C: x
  C: .
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<c@example.net>
  C: DATA
  S: 250 2.0.0 *
  S: 250 2.1.0 *
  S: 250 2.1.5 *
  S: 354 *
  C: y
  C: .
  S: 250 2.0.0 *
`,
  {
    verify({ upstream }) {
      assert.deepEqual(upstream.messages.map(({ forwardPaths }) => forwardPaths), [["b@example.net"], [
        "c@example.net",
      ]]);
    },
  },
);

dialogue(
  "RFC 2920 §3.2: input is not dropped after an error",
  `${SIGNED_IN}
  C: MAIL FROM:<nobody>
  C: RCPT TO:<a@example.net>
  C: FOO
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<>
  C: RCPT TO:<a@example.net>
  C: NOOP
  S: 501 5.1.7 *
  S: 503 5.5.1 *
  S: 500 5.5.1 *
  S: 250 2.1.0 *
  S: 501 5.1.3 *
  S: 250 2.1.5 *
  S: 250 2.0.0 *
`,
);

dialogue(
  "RFC 2920 §3.1: a group whose recipients are all refused; the client's content must not be read as commands",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<bad@example.net>
  C: DATA
  S: 250 2.1.0 *
  S: 550 5.1.1 *
  S: 554 5.5.1 No valid recipients
  C: NOOP
  S: 250 2.0.0 *
`,
  {
    prepare({ upstream }) {
      upstream.always("RCPT", { reply: "550 5.1.1 No such user" });
      upstream.always("DATA", { reply: "354 go" });
    },
    verify({ upstream }) {
      // The lone dot that RFC 2920 asks for: a message to nobody, without content.
      const transactions = upstream.connections.flatMap((connection) => connection.transactions);
      const bodies = transactions.map((
        { body, forwardPaths },
      ) => [new TextDecoder().decode(body), forwardPaths]);
      assert.deepEqual(bodies, [[".\r\n", []]]);
    },
  },
);

const RECIPIENTS = Array.from({ length: 100 }, (_, index) => `a${index}@example.net`);

dialogue(
  "RFC 2920 §3.2: a group of 100 recipients, larger than the line buffer",
  `${SIGNED_IN}
  C: MAIL FROM:<${ACCOUNT}>
${RECIPIENTS.map((address) => `  C: RCPT TO:<${address}>\n`).join("")}
  C: DATA
  S: 250 2.1.0 *
${"  S: 250 2.1.5 OK\n".repeat(100)}
  S: 354 *
  C: .
  S: 250 *
`,
  { verify: ({ upstream }) => assert.deepEqual(upstream.messages[0]!.forwardPaths, RECIPIENTS) },
);

dialogue(
  "RFC 2920 §3.1: a whole session in one segment, up to DATA",
  `
  S: 220 *
  C: EHLO client.example
  C: AUTH PLAIN ${plain()}
  C: MAIL FROM:<${ACCOUNT}>
  C: RCPT TO:<a@example.net>
  C: DATA
  S: 250 AUTH PLAIN LOGIN
  S: 235 2.7.0 *
  S: 250 2.1.0 *
  S: 250 2.1.5 *
  S: 354 *
`.replace("S: 250 AUTH PLAIN LOGIN", "S: 250 *"),
);
