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
  let challengeStatus: string | undefined;
  if (reply.code === 334) {
    challengeStatus = readChallengeStatus(reply);
    reply = await send(connection, isBearer ? OAUTHBEARER_ERROR_RESPONSE : XOAUTH2_ERROR_RESPONSE);
  }
  const status = challengeStatus === undefined ? "" : ` (challenge status ${challengeStatus})`;
  throw new DialError("auth", `${reply.text()}${status}`, {
    reply,
    ...(challengeStatus !== undefined && { challengeStatus }),
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

/** `status` of the challenge's JSON, and nothing else of it: what a server puts there is not ours to repeat. */
function readChallengeStatus(reply: Reply): string {
  const octets = decodeBase64(reply.lines[0]?.trim() ?? "");
  if (octets === undefined) return "unreadable";
  try {
    const challenge: unknown = JSON.parse(new TextDecoder().decode(octets));
    const status = (challenge as { status?: unknown } | null)?.status;
    return typeof status === "string" || typeof status === "number" ? String(status).slice(0, 40) : "absent";
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return "unreadable";
  }
}
