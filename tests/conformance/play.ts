/** Plays a dialogue against the proxy three times: the client's octets in one segment, one octet a segment, at random. */

import assert from "node:assert/strict";
import { parseDialog } from "../support/dialog.ts";
import { ACCOUNT, PASSWORD, type ProxyOptions, startProxy, type TestProxy } from "../support/proxy.ts";
import type { Segmentation, SmtpTestClient } from "../support/smtp_client.ts";

/** What a dialogue needs beside its lines. */
export interface DialogueOptions extends ProxyOptions {
  /** Scripts the provider before the dialogue begins. */
  readonly prepare?: (proxy: TestProxy) => void;
  /** Looks at what the provider has got when it is over. */
  readonly verify?: (proxy: TestProxy) => void;
}

const SEGMENTATIONS: readonly Segmentation[] = ["whole", "octets", { seed: 7 }, { seed: 42 }];

/** `AUTH PLAIN` (RFC 4616) in base64. */
export function plain(username = ACCOUNT, password = PASSWORD, authorizationIdentity = ""): string {
  return base64(`${authorizationIdentity}\0${username}\0${password}`);
}

/** Base64 of a text's UTF-8. */
export function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** The lines that open a session and sign it in. */
export const SIGNED_IN = `
  S: 220 proxy.test ESMTP *
  C: EHLO client.example
  S: 250 *
  C: AUTH PLAIN ${plain()}
  S: 235 2.7.0 *
`;

/**
 * Registers a test.
 *
 * Lines of the client that follow each other are one group. `C: <tls>` shakes hands. `S: 250-…` awaits one line of a
 * reply, `S: 250 …` its last one, whatever lines stand before it; `*` stands for anything. Every reply is checked for its
 * enhanced status code (RFC 2034 §4).
 */
export function dialogue(title: string, text: string, options: DialogueOptions = {}): void {
  Deno.test(title, async () => {
    for (const segmentation of SEGMENTATIONS) {
      await using proxy = await startProxy(options);
      options.prepare?.(proxy);
      using client = await proxy.connect();
      await play(text, { client, proxy, segmentation });
      options.verify?.(proxy);
    }
  });
}

interface Playing {
  readonly client: SmtpTestClient;
  readonly proxy: TestProxy;
  readonly segmentation: Segmentation;
}

async function play(text: string, { client, proxy, segmentation }: Playing): Promise<void> {
  let group: string[] = [];
  const send = async () => {
    if (group.length > 0) await client.write(group.map((line) => `${line}\r\n`).join(""), segmentation);
    group = [];
  };
  let isHello = true; // the greeting, which has no enhanced code either
  for (const { from, text: line } of parseDialog(text)) {
    if (from === "client" && line !== "<tls>") {
      group.push(line);
      continue;
    }
    if (group.length > 0) isHello = /^(EHLO|HELO)/i.test(group[0]!);
    await send();
    if (line === "<tls>") await client.startTls({ caCertificate: proxy.upstream.caCertificate });
    else if (line === "<end>") await client.expectEnd();
    else await expectReply(client, { pattern: line, isHello });
  }
  await send();
}

async function expectReply(
  client: SmtpTestClient,
  { pattern, isHello }: { pattern: string; isHello: boolean },
): Promise<void> {
  const reply = pattern[3] === "-" ? [await client.readLine()] : await client.readReply();
  const expected = new RegExp(`^${pattern.split("*").map((part) => RegExp.escape(part)).join(".*")}$`);
  assert.match(reply.at(-1)!, expected, client.transcript);
  for (const line of reply) {
    if (isHello || line.startsWith("3")) continue;
    // RFC 2034 §4: on every line, with the class of the reply code.
    assert.match(
      line,
      new RegExp(`^${line[0]}\\d\\d[ -]${line[0]}\\.\\d{1,3}\\.\\d{1,3} `),
      client.transcript,
    );
  }
}
