/** The message that arrives is the message that was sent, octet for octet; what isn't mail as RFC 5321 has it is made so. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ACCOUNT, startProxy, type TestProxy } from "../support/proxy.ts";
import type { Segmentation, SmtpTestClient } from "../support/smtp_client.ts";

/** Sends `body`, which has its dots stuffed and its end, and returns what the provider read. */
async function relay(
  { proxy, client }: { proxy: TestProxy; client: SmtpTestClient },
  body: string,
  segmentation: Segmentation,
): Promise<string> {
  const before = proxy.upstream.messages.length;
  await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
  await client.command("RCPT TO:<a@example.net>", "250 *");
  await client.command("DATA", "354 *");
  await client.write(Buffer.from(body, "latin1"), segmentation);
  await client.expect("250 *");
  assert.equal(proxy.upstream.messages.length, before + 1);
  return Buffer.from(proxy.upstream.messages.at(-1)!.body).toString("latin1");
}

function stuff(content: string): string {
  return `${
    content.split("\r\n").map((line) => line.startsWith(".") ? `.${line}` : line).join("\r\n")
  }\r\n.\r\n`;
}

/** RFC 5321 §4.1.1.4 and §4.5.2 read literally: the mail data that a strict server makes of a body. */
function understand(body: string): string {
  const end = `\r\n${body}`.indexOf("\r\n.\r\n");
  return body.slice(0, end).split("\r\n").map((line) => line.startsWith(".") ? line.slice(1) : line).join(
    "\r\n",
  );
}

/** A bare CR is a space, a bare LF a line end. */
function normalize(content: string): string {
  return content.replace(/\r(?!\n)|(?<!\r)\n/g, (bare) => bare === "\r" ? " " : "\r\n");
}

const segmentation: fc.Arbitrary<Segmentation> = fc.oneof(
  fc.constant("whole" as const),
  fc.constant("octets" as const),
  fc.record({ seed: fc.nat() }),
);

const canonicalLine = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(".", "..", " ", "\t", "a") },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 255 }).map((octet) => String.fromCharCode(octet)) },
  ),
  { maxLength: 30 },
).map((parts) => parts.join("").replace(/[\r\n]/g, ""));

const trouble = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("\r", "\n", ".", "\r\n", "\r\n.", "\n.", "\r.", "\0") },
  { weight: 3, arbitrary: fc.constantFrom("a", "\xe4", "\xff", "QUIT", " ") },
);

Deno.test("Relay passes canonical messages on octet for octet, 8-bit and dots included", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const property = fc.asyncProperty(
    fc.array(canonicalLine, { maxLength: 12 }),
    segmentation,
    async (lines, cut) => {
      const body = stuff(lines.join("\r\n"));
      assert.equal(await relay({ proxy, client }, body, cut), body);
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

Deno.test("Relay passes large messages on octet for octet, over TLS and in clear", async () => {
  await using proxy = await startProxy({ listeners: [{ security: "tls" }, {}] });
  using secure = await proxy.signIn({ tls: { caCertificate: proxy.upstream.caCertificate } });
  using clear = await proxy.signIn({ listener: 1 });
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 400_000 }), fc.nat(), async (octets, seed) => {
    let state = seed >>> 0;
    const lines: string[] = [];
    for (let length = 0; length < octets; length += lines.at(-1)!.length + 2) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      lines.push((state & 8 ? "." : "") + String.fromCharCode(33 + state % 90).repeat((state >>> 8) % 990));
    }
    const body = stuff(lines.join("\r\n"));
    for (const client of [secure, clear]) {
      const received = await relay({ proxy, client }, body, octets < 50_000 ? { seed } : "whole");
      assert.ok(received === body, `${received.length} octets of ${body.length} arrived`);
    }
  });
  await fc.assert(property, { numRuns: 25 });
});

Deno.test("Relay makes any octets mail as RFC 5321 understands them, at any segmentation", async () => {
  await using proxy = await startProxy();
  using client = await proxy.signIn();
  const property = fc.asyncProperty(
    fc.array(trouble, { maxLength: 40 }),
    segmentation,
    async (parts, cut) => {
      const input = parts.join("");
      fc.pre(!`\r\n${input}\r\n`.includes("\r\n.\r\n"));
      const received = await relay({ proxy, client }, `${input}\r\n.\r\n`, cut);
      assert.equal(understand(received), normalize(understand(`${input}\r\n.\r\n`)));
      assert.doesNotMatch(received, /\r(?!\n)|(?<!\r)\n/, "a bare CR or LF went out");
      await client.command("NOOP", "250 *");
    },
  );
  await fc.assert(property, { numRuns: 400 });
});

Deno.test("Relay refuses or passes on any octets where bare line ends are refused, never anything else", async () => {
  await using proxy = await startProxy({ submission: { bareNewline: "reject" } });
  using client = await proxy.signIn();
  const property = fc.asyncProperty(
    fc.array(trouble, { maxLength: 20 }),
    segmentation,
    async (parts, cut) => {
      const input = parts.join("");
      fc.pre(!`\r\n${input}\r\n`.includes("\r\n.\r\n"));
      const before = proxy.upstream.messages.length;
      await client.command(`MAIL FROM:<${ACCOUNT}>`, "250 *");
      await client.command("RCPT TO:<a@example.net>", "250 *");
      await client.command("DATA", "354 *");
      await client.write(Buffer.from(`${input}\r\n.\r\n`, "latin1"), cut);
      const isBare = /\r(?!\n)|(?<!\r)\n/.test(`${input}\r\n`);
      await client.expect(isBare ? "550 5.6.11 *" : "250 *");
      assert.equal(proxy.upstream.messages.length, isBare ? before : before + 1);
      if (isBare) return;
      const received = Buffer.from(proxy.upstream.messages.at(-1)!.body).toString("latin1");
      assert.equal(understand(received), understand(`${input}\r\n.\r\n`));
    },
  );
  await fc.assert(property, { numRuns: 150 });
});
