/** Signs a connection in with an access token: XOAUTH2 in two steps, OAUTHBEARER where only that is offered. */

import { decodeBase64, encodeBase64 } from "../sasl/base64.ts";
import { encodeOauthbearer, OAUTHBEARER_ERROR_RESPONSE } from "../sasl/oauthbearer.ts";
import { encodeXoauth2, XOAUTH2_ERROR_RESPONSE } from "../sasl/xoauth2.ts";
import type { Extensions } from "../smtp/extensions.ts";
import type { Reply } from "../smtp/reply.ts";
import type { UpstreamConnection } from "./connection.ts";
import { DialError } from "./upstream_error.ts";

/** Longest line of a SASL exchange (RFC 4954 §4), CRLF included. */
const MAX_RESPONSE_OCTETS = 12_288;

const encoder = new TextEncoder();

export interface SignIn {
  /** `user=` of XOAUTH2: the mailbox to act for. */
  readonly user: string;
  readonly accessToken: string;
}

/**
 * Signs in. The token never goes into the AUTH command: real ones exceed the 512 octets of a command line.
 *
 * @throws {DialError} Phase `auth`, with the provider's reply and the status of its error challenge.
 */
export async function signIn(connection: UpstreamConnection, { user, accessToken }: SignIn): Promise<void> {
  const isBearer = offersOnlyOauthbearer(connection.extensions);
  const response = encodeBase64((isBearer ? encodeOauthbearer : encodeXoauth2)(user, accessToken));
  if (response.length + 2 > MAX_RESPONSE_OCTETS) {
    throw new DialError(
      "auth",
      "the access token is longer than SMTP allows (RFC 4954 section 4: 12,288 octets)",
    );
  }
  const prompt = await connection.command(`AUTH ${isBearer ? "OAUTHBEARER" : "XOAUTH2"}`);
  if (prompt.code !== 334) throw new DialError("auth", prompt.text(), { reply: prompt });
  let reply = await send(connection, response);
  if (reply.code === 235) return;
  let challenge: Challenge | undefined;
  if (reply.code === 334) {
    challenge = readChallenge(reply, accessToken);
    reply = await send(connection, isBearer ? OAUTHBEARER_ERROR_RESPONSE : XOAUTH2_ERROR_RESPONSE);
  }
  // A server may send back what it was sent, and its words go into the log, to the client and to the status page.
  reply = reply.without([accessToken, response]);
  const said = challenge === undefined ? "" : ` (challenge: ${challenge.text})`;
  throw new DialError("auth", `${reply.text()}${said}`, {
    reply,
    ...(challenge && { challengeStatus: challenge.status }),
  });
}

/** Some providers take XOAUTH2 without listing it (Yandex does), so it is the default. */
function offersOnlyOauthbearer({ mechanisms }: Extensions): boolean {
  return mechanisms.includes("OAUTHBEARER") && !mechanisms.includes("XOAUTH2");
}

async function send(connection: UpstreamConnection, line: string): Promise<Reply> {
  await connection.write(encoder.encode(`${line}\r\n`), "AUTH");
  return await connection.readReply("AUTH");
}

/** The error challenge of XOAUTH2 (Google) and OAUTHBEARER (RFC 7628 §3.2.2), decoded. */
interface Challenge {
  readonly status: string;
  /** All that was understood of it. */
  readonly text: string;
}

const CHALLENGE_MEMBERS = ["status", "schemes", "scope"] as const;

function readChallenge(reply: Reply, accessToken: string): Challenge {
  const members = parseObject(reply.lines[0]?.trim() ?? "");
  if (members === undefined) return { status: "unreadable", text: "unreadable" };
  const known = CHALLENGE_MEMBERS.flatMap((name) => {
    const value = members[name];
    if (typeof value !== "string" && typeof value !== "number") return [];
    return [[name, printable(String(value), accessToken)] as const];
  });
  const status = known.find(([name]) => name === "status")?.[1] ?? "absent";
  return { status, text: known.map((member) => member.join(" ")).join(", ") || "empty" };
}

function parseObject(base64: string): Readonly<Record<string, unknown>> | undefined {
  const octets = decodeBase64(base64);
  if (octets === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(octets));
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** For the log: short, on one line, and never the token, in case that a server sends it back. */
function printable(value: string, accessToken: string): string {
  return value.replaceAll(accessToken, "…").replace(/[^\x20-\x7e…]/g, "?").slice(0, 80);
}
