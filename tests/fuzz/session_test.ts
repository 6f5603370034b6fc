/** Whole sessions of random and mutated dialogues over real sockets: replies as RFC 5321 §4.2 has them, or a closed door. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ACCOUNT, PASSWORD, startProxy, type TestProxy } from "../support/proxy.ts";

const SIGN_IN = `AUTH PLAIN ${btoa(`\0${ACCOUNT}\0${PASSWORD}`)}\r\n`;

/** What a well-behaved client says, in order. */
const DIALOGUE = [
  "EHLO client.example\r\n",
  SIGN_IN,
  `MAIL FROM:<${ACCOUNT}> SIZE=100 BODY=8BITMIME\r\n`,
  "RCPT TO:<a@example.net>\r\n",
  "DATA\r\n",
  "Subject: fuzz\r\n\r\n..dot\r\nline\r\n.\r\n",
  "QUIT\r\n",
] as const;

const ODDITIES = [
  "\r\n",
  "\n",
  "\r",
  ".\r\n",
  "\0",
  " ",
  "\xff\xfe",
  "<",
  ">",
  "RSET\r\n",
  "NOOP\r\n",
  "HELP\r\n",
  "VRFY a\r\n",
  "STARTTLS\r\n",
  "AUTH LOGIN\r\n",
  "AUTH PLAIN\r\n",
  "*\r\n",
  "=\r\n",
  "YQ==\r\n",
  "BDAT 5 LAST\r\nabcde",
  "HELO\r\n",
  "EHLO x\r\n",
  "DATA x\r\n",
  "MAIL FROM:<>\r\n",
  "RCPT TO:<@x:y@z>\r\n",
  "RCPT TO:<>\r\n",
  "QUIT x\r\n",
  `${"x".repeat(3000)}\r\n`,
  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01",
  "A".repeat(20_000),
] as const;

const piece = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<string>(...DIALOGUE) },
  { weight: 3, arbitrary: fc.constantFrom<string>(...ODDITIES) },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 30 }) },
);

/** The whole dialogue with a piece left out, doubled, swapped or spoilt. */
const mutated = fc.tuple(
  fc.nat({ max: DIALOGUE.length - 1 }),
  piece,
  fc.constantFrom("drop", "double", "replace", "insert", "cut"),
)
  .map(([at, other, mutation]) => {
    const pieces: string[] = [...DIALOGUE];
    if (mutation === "drop") pieces.splice(at, 1);
    if (mutation === "double") pieces.splice(at, 0, pieces[at]!);
    if (mutation === "replace") pieces.splice(at, 1, other);
    if (mutation === "insert") pieces.splice(at, 0, other);
    if (mutation === "cut") pieces.splice(at, 1, pieces[at]!.slice(0, pieces[at]!.length >> 1));
    return pieces;
  });

const dialogue = fc.record({
  pieces: fc.oneof(mutated, mutated, fc.array(piece, { maxLength: 12 })),
  /** All in one write, or each piece when the last one's reply has come (or 20 ms later). */
  pipelines: fc.boolean(),
});

/** Sessions at the same time, and how many in all. */
const BATCH = 40;
const SESSIONS = Number(Deno.env.get("FUZZ_RUNS") ?? 400);

Deno.test("any dialogue gets replies or a closed door, and leaves nothing behind", async () => {
  await using proxy = await startProxy({ authenticator: { failureDelayMs: 0, maxFailures: 1_000_000 } });
  const seed = Math.floor(Math.random() * 2 ** 31);
  const dialogues = fc.sample(dialogue, { numRuns: SESSIONS, seed });
  for (let from = 0; from < dialogues.length; from += BATCH) {
    await Promise.all(dialogues.slice(from, from + BATCH).map((one) => playChecked(proxy, one, seed)));
  }
  await proxy.waitFor(() => proxy.submission.sessions === 0, "all sessions to end");
  using client = await proxy.signIn();
  assert.match(
    await client.send({ from: ACCOUNT, to: ["a@example.net"], data: "Subject: x\r\n\r\nx" }),
    /^250 /,
  );
  const intact = proxy.upstream.messages.map(({ mailData }) => new TextDecoder("latin1").decode(mailData));
  assert.ok(
    intact.every((text) => !/^(MAIL|RCPT|RSET) /m.test(text) || text.includes("Subject")),
    `seed ${seed}`,
  );
  const failures = proxy.logged.filter(({ level }) => level === "error" || level === "fatal");
  assert.deepEqual(failures, [], `seed ${seed}`);
});

interface Dialogue {
  readonly pieces: readonly string[];
  readonly pipelines: boolean;
}

async function playChecked(proxy: TestProxy, { pieces, pipelines }: Dialogue, seed: number): Promise<void> {
  const replies = await play(proxy.port(), { pieces, pipelines });
  const story = `seed ${seed}, said ${JSON.stringify(pieces)}, heard ${JSON.stringify(replies)}`;
  assert.ok(replies.endsWith("\r\n"), story);
  for (const line of replies.split("\r\n").slice(0, -1)) {
    assert.match(line, /^[2-5][0-9]{2}(?:[ -][\t\x20-\x7e\x80-\xff]*)?$/, story);
    // RFC 2034 §4: an enhanced code of the same class behind each 2yz (EHLO and greeting apart), 4yz and 5yz.
    if (/^[45]/.test(line)) assert.match(line, /^([45])[0-9]{2}[ -]\1\.[0-9]{1,3}\.[0-9]{1,3} /, story);
  }
}

/** Says everything, ends its side and reads to the end. */
async function play(port: number, { pieces, pipelines }: Dialogue): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let replies = "";
  let heard = Promise.withResolvers<void>();
  const reading = (async () => {
    const chunk = new Uint8Array(8192);
    try {
      for (
        let octets = await connection.read(chunk);
        octets !== null;
        octets = await connection.read(chunk)
      ) {
        replies += new TextDecoder("latin1").decode(chunk.subarray(0, octets));
        heard.resolve();
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      // What came before the reset may be cut anywhere.
      replies = replies.slice(0, replies.lastIndexOf("\n") + 1);
    }
  })();
  try {
    for (const text of pipelines ? [pieces.join("")] : pieces) {
      heard = Promise.withResolvers();
      const octets = Uint8Array.from(text, (char) => char.charCodeAt(0));
      for (let sent = 0; sent < octets.length;) sent += await connection.write(octets.subarray(sent));
      if (!pipelines) await soon(heard.promise);
    }
    await connection.closeWrite();
  } catch (error) {
    const isShut = error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.NotConnected;
    if (!isShut) throw error;
  }
  await reading;
  return replies;
}

async function soon(event: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 20);
  await Promise.race([event, promise]).finally(() => clearTimeout(timer));
}
