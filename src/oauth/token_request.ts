/** How requests to token endpoints travel, and how their answers are read. */

import * as oauth from "oauth4webapi";
import type { GrantedTokens } from "./access_token.ts";
import { readAnswer } from "./read_answer.ts";
import { TokenError } from "./token_error.ts";
import { malformedAnswerError, tokenErrorFromAnswer, unreachableError } from "./token_failure.ts";

/** The `fetch` of the platform, or one that stands in for it. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** What a single grant needs to run: its end, its transport and its clock. */
export interface TokenRequestOptions {
  readonly signal: AbortSignal;
  /** Default: the platform's. */
  readonly fetch?: Fetch;
  /** Wall clock in milliseconds; default `Date.now`. */
  readonly now?: () => number;
  /** Is given the refresh token of a successful answer, even if nothing else of the answer can be used. */
  readonly onRefreshToken?: (refreshToken: string) => void;
}

/** Lifetime taken for a token whose response has no `expires_in` (RFC 6749 §5.1 only recommends it): 5 minutes. */
const assumedLifetimeMs = 300_000;

/** No real token lives longer; the end of one that says so would not be a date. */
const longestLifetimeMs = 30 * 86_400_000;

/** Headers that say something about the answer; those about its encoding no longer hold once it has been read. */
const keptHeaders = ["content-type", "retry-after", "www-authenticate"];

/**
 * A fetch for oauth4webapi that reads each answer to its end, so that none leaks, and throws a `TokenError` for every
 * one that holds no token.
 */
export function tokenFetch(request: TokenRequestOptions): Fetch {
  const send = request.fetch ?? fetch;
  const now = request.now ?? Date.now;
  return async (input, init) => {
    const exchange = async () => {
      const answer = await send(input, init);
      return { answer, text: await readAnswer(answer) };
    };
    const { answer, text } = await exchange().catch((error: unknown) => {
      throw failureOnTheWay(error, { signal: request.signal, url: input });
    });
    if (text === undefined) throw malformedAnswerError(answer.status);
    const body = jsonObject(text);
    const refreshToken = body?.["refresh_token"];
    if (answer.ok && typeof refreshToken === "string" && refreshToken !== "") {
      request.onRefreshToken?.(refreshToken);
    }
    if (!answer.ok || saysError(body)) {
      throw tokenErrorFromAnswer({ status: answer.status, headers: answer.headers, text }, now());
    }
    const headers = new Headers();
    for (const name of keptHeaders) {
      const value = answer.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    return new Response(tidied(text, body), { status: answer.status, headers });
  };
}

/**
 * Runs one grant and turns its outcome into tokens or a `TokenError`.
 *
 * @throws {TokenError} For every failure of the endpoint or the way to it.
 * @throws The signal's reason when it aborted, unless that is a time-out.
 */
export async function requestTokens(
  request: TokenRequestOptions,
  grant: () => Promise<oauth.TokenEndpointResponse>,
): Promise<GrantedTokens> {
  const sentAtMs = (request.now ?? Date.now)();
  const response = await translated(request.signal, grant);
  if (!isAccessToken(response.access_token)) throw malformedAnswerError(200, "access_token");
  const lifetimeMs = response.expires_in === undefined ? assumedLifetimeMs : response.expires_in * 1000;
  const expiresAtMs = sentAtMs + Math.min(lifetimeMs, longestLifetimeMs);
  return {
    accessToken: { value: response.access_token, expiresAtMs },
    ...(response.refresh_token === undefined ? {} : { refreshToken: response.refresh_token }),
    ...(response.scope === undefined ? {} : { scope: response.scope }),
  };
}

/** Runs a request; what oauth4webapi and fetch throw comes out as `TokenError`, see `requestTokens`. */
export async function translated<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof TokenError) throw error;
    if (signal.aborted) {
      throw isTimeout(signal.reason) ? unreachableError(signal.reason) : signal.reason;
    }
    // Without a cause: theirs holds the answer's body, which may hold tokens.
    if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
      throw malformedAnswerError(200, wrongField(error));
    }
    if (error instanceof TypeError || error instanceof DOMException) throw unreachableError(error);
    throw error;
  }
}

/** The field of an answer that the library's message complains of, unless there is no token at all. */
function wrongField(error: oauth.OperationProcessingError | oauth.UnsupportedOperationError) {
  if (error instanceof oauth.UnsupportedOperationError) return "token_type";
  const field = /^"response" body "(\w+)" property /.exec(error.message)?.[1];
  return field === "access_token" ? undefined : field;
}

/** What `translated` would make of it, with the host that only the request knows. */
function failureOnTheWay(
  error: unknown,
  { signal, url }: { readonly signal: AbortSignal; readonly url: string },
): unknown {
  const host = URL.parse(url)?.host;
  if (signal.aborted) return isTimeout(signal.reason) ? unreachableError(signal.reason, host) : error;
  return error instanceof TypeError || error instanceof DOMException ? unreachableError(error, host) : error;
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}

/** RFC 6749 appendix A.12; anything else could not be shown to a mail server. */
function isAccessToken(value: string): boolean {
  return /^[\x20-\x7e]+$/.test(value);
}

/** Some endpoints answer 200 with an error inside. */
function saysError(body: Record<string, unknown> | undefined): boolean {
  return body !== undefined && typeof body["error"] === "string" && body["access_token"] === undefined;
}

/**
 * Nobody here reads the ID token, and checking it would need each provider's issuer (Entra's `common` has none). A field
 * that is null or empty is as good as absent, and no reason to refuse the access token beside it.
 */
function tidied(text: string, body: Record<string, unknown> | undefined): string {
  if (body === undefined) return text;
  const fields = Object.entries(body);
  const kept = fields.filter(([name, value]) => name !== "id_token" && value !== null && value !== "");
  return kept.length === fields.length ? text : JSON.stringify(Object.fromEntries(kept));
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
