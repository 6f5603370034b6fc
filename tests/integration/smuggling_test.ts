/**
 * SMTP smuggling (CVE-2023-51764, -51765, -51766 and what followed): one message in is one message out, whatever the
 * provider takes for a line end or for the end of data.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { EndOfDataMode } from "../support/end_of_data.ts";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { Segmentation, SmtpTestClient } from "../support/smtp_client.ts";

const MODES: readonly EndOfDataMode[] = ["strict", "LF.LF", "LF.CRLF", "CR.CR", "CRLF.CR", "nul-stripping"];

/** What attackers write where a lenient server sees the end of data, and a strict one doesn't. */
const VARIANTS: readonly (readonly [sequence: string, source: string])[] = [
  ["\n.\n", "LF.LF: Postfix, Sendmail"],
  ["\n.\r\n", "LF.CRLF: Exim, Postfix, Exchange Online outbound"],
  ["\r\n.\n", "CRLF.LF"],
  ["\r.\r", "CR.CR"],
  ["\r.\r\n", "CR.CRLF: Cisco Secure Email"],
  ["\r\n.\r", "CRLF.CR"],
  ["\n.\r", "LF.CR"],
  ["\r.\n", "CR.LF"],
  ["\r\n.\r\r\n", "CRLF.CRCRLF: Postfix's stray CR"],
  ["\r\n\0.\r\n", "CRLF NUL dot"],
  ["\r\n.\0\r\n", "dot NUL"],
  ["\r\n.\r\0\n", "CR NUL LF"],
  ["\r\0\n.\r\n", "CR NUL LF before the dot"],
  ["\r\n\0\0.\0\r\n", "NULs around the dot"],
  ["\n\0.\r\n", "LF NUL dot"],
  ["\0\n.\n", "NUL before LF.LF"],
  ["\n\n.\n\n", "empty lines around"],
  ["\r\r\n.\r\r\n", "doubled CRs around"],
  ["\n..\r\n", "a stuffed dot behind a bare LF"],
  ["\r..\r", "a stuffed dot between bare CRs"],
  ["\r\n..\n", "a stuffed dot before a bare LF"],
];

const SMUGGLED =
  "MAIL FROM:<admin@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil";

async function sendAll(
  client: SmtpTestClient,
  sequence: string,
  segmentation: Segmentation,
): Promise<string> {
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "250 *");
  await client.command("DATA", "354 *");
  const data = `Subject: seen\r\n\r\nbefore${sequence}${SMUGGLED}\r\n.\r\n`;
  await client.write(Buffer.from(data, "latin1"), segmentation);
  return (await client.readReply()).at(-1)!;
}

function assertNothingSmuggled({ upstream }: TestProxy, messages: number): void {
  assert.equal(upstream.messages.length, messages);
  const transactions = upstream.connections.flatMap((connection) => connection.transactions);
  for (const { reversePath, forwardPaths } of transactions) {
    assert.deepEqual({ reversePath, forwardPaths }, {
      reversePath: ACCOUNT,
      forwardPaths: ["a@example.net"],
    });
  }
  assert.equal(upstream.passages("unknown"), 0, "content was read as commands");
}

for (const endOfData of MODES) {
  Deno.test(`Relay lets nothing be smuggled through a provider that ends data by ${endOfData}`, async () => {
    await using proxy = await startProxy({ upstream: { endOfData, security: "none" } });
    using client = await proxy.signIn();
    let sent = 0;
    for (const [sequence, source] of VARIANTS) {
      for (const segmentation of ["whole", "octets", { seed: sent }] as const) {
        assert.match(await sendAll(client, sequence, segmentation), /^250 /, source);
        await client.command("NOOP", "250 *");
        assertNothingSmuggled(proxy, ++sent);
      }
    }
  });

  Deno.test(`Relay refuses every variant where bare line ends are refused, provider ${endOfData}`, async () => {
    await using proxy = await startProxy({
      upstream: { endOfData, security: "none" },
      submission: { bareNewline: "reject" },
    });
    using client = await proxy.signIn();
    for (const [sequence, source] of VARIANTS) {
      const isBare = /\r(?!\n)|(?<!\r)\n/.test(sequence);
      const before = proxy.upstream.messages.length;
      const reply = await sendAll(client, sequence, "whole");
      assert.match(reply, isBare ? /^550 5\.6\.11 / : /^250 /, source);
      assertNothingSmuggled(proxy, before + (isBare ? 0 : 1));
    }
  });
}

Deno.test("Session takes no second command out of an address or a parameter", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const injections = [
    "MAIL FROM:<a@example.com\rRCPT TO:<victim@example.net>>",
    "MAIL FROM:<a@example.com> SIZE=1\rRSET",
    "MAIL FROM:<a@example.com\0>",
    'MAIL FROM:<"a\rb"@example.com>',
    "MAIL FROM:<a@example.com> ENVID=a\tb",
    "MAIL FROM:<a@example.com>RCPT TO:<victim@example.net>",
    "MAIL FROM:<a@example.com> BODY=8BITMIME=7BIT",
    "MAIL FROM:<a@example.com>> SIZE=1",
  ];
  for (const line of injections) {
    await client.write(`${line}\r\n`);
    await client.expect(/^50[01] 5\./);
  }
  assert.equal(proxy.upstream.passages("MAIL"), 0);
});

Deno.test("Relay takes no command out of a reply of the provider", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  proxy.upstream.once("MAIL", { octets: "250 2.1.0 fine\r250 2.1.5 forged\r\n" });
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 2.1.0 fine 250 2.1.5 forged");
  proxy.upstream.once("RCPT", { octets: "250-2.1.5 one\n250 2.1.5 two\n" });
  await client.writeln("RCPT TO:<a@example.net>");
  assert.deepEqual(await client.readReply(), ["250-2.1.5 one", "250 2.1.5 two"]);
});
