/** What stands before every route of the page: headers, the checks of a POST, and the sign-in. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import { RequestProblem } from "../request_problem.ts";
import { pause } from "./event_stream.ts";
import type { PageEnv } from "./page_services.ts";
import type { PageSession, PageSessions } from "./page_sessions.ts";
import { showSignIn } from "./sign_in_view.tsx";

const formOctets = 64 * 1024;
const formTimeoutMs = 10_000;

/**
 * Nothing runs, loads or is framed that isn't the page's own, and no text can bring styles along. `same-origin`, not
 * `no-referrer`: with the latter browsers send `Origin: null` with a form (Fetch standard, "append a request Origin header").
 */
export const securityHeaders: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
  referrerPolicy: "same-origin",
  xFrameOptions: "DENY",
  // What is in front of the daemon knows whether there is TLS.
  strictTransportSecurity: false,
});

/**
 * Reads the form of a POST that comes from this page itself, whatever site the browser shows.
 *
 * @param closing Ends the wait for a body that doesn't come.
 */
export function readForm(closing: AbortSignal): MiddlewareHandler<PageEnv> {
  return async (c, next) => {
    if (c.req.method !== "POST") return await next();
    requireSameOrigin(c);
    const type = c.req.header("content-type") ?? "";
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
      throw new RequestProblem(415, "The page takes forms only; the API is under /admin");
    }
    c.set("form", new URLSearchParams(await readText(c, closing)));
    return await next();
  };
}

/** @throws {RequestProblem} 413 if the body is too large, 408 if it doesn't come. */
async function readText({ req: { raw: { body } } }: Context, closing: AbortSignal): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const over = new AbortController();
  let isLate = false;
  const deadline = pause(formTimeoutMs, AbortSignal.any([closing, over.signal])).then(async () => {
    isLate = !over.signal.aborted;
    // Ends a read that is pending; the connection would stay open with it otherwise.
    await reader.cancel().catch(() => {}); // the client may be gone
  });
  try {
    const text = await readUpTo(formOctets, reader);
    if (isLate) throw new RequestProblem(408, "The form did not come in time");
    return text;
  } finally {
    over.abort();
    await deadline;
  }
}

/** @throws {RequestProblem} 413 if there is more. */
async function readUpTo(octets: number, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let left = octets;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    left -= part.value.length;
    if (left < 0) throw new RequestProblem(413, "The form is too large");
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}

/** Shows the sign-in form to whoever isn't signed in, and takes a POST only with the session's own CSRF token. */
export function requireSession(sessions: PageSessions): MiddlewareHandler<PageEnv> {
  return async (c, next) => {
    const session = findSession(sessions, c);
    if (!session) return await showSignIn(c, { status: c.req.path === "/" ? 200 : 401 });
    if (c.req.method === "POST" && !isSecret(c.get("form").get("csrf") ?? "", session.csrfToken)) {
      throw new RequestProblem(403, "The form belongs to an earlier sign-in: go back, reload, and try again");
    }
    c.set("session", session);
    return await next();
  };
}

/** The session that a request belongs to. */
export function findSession(sessions: PageSessions, c: Context): PageSession | undefined {
  return sessions.find(getCookie(c, sessionCookie(c)));
}

/** Name of the session's cookie. Cookies don't know ports: without one in the name, two daemons on a host share it. */
export function sessionCookie(c: Context): string {
  return `xoauth2_proxy_${new URL(c.req.url).port || "80"}`;
}

/** The origin under which the browser knows this server, which a proxy in front may have turned into https. */
export function publicOrigin(c: Context): string {
  // The Host guard has compared it.
  const origin = c.req.header("origin");
  return origin !== undefined && URL.canParse(origin) ? new URL(origin).origin : new URL(c.req.url).origin;
}

/** Compares secrets in a time that tells nothing of them. */
export function isSecret(value: string, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(value), digest(secret));
}

/** Browsers say where a form comes from: by Origin, which the Host guard compares, or by Sec-Fetch-Site. */
function requireSameOrigin(c: Context): void {
  const site = c.req.header("sec-fetch-site");
  const isOwn = site === undefined ? c.req.header("origin") !== undefined : site === "same-origin";
  if (!isOwn) throw new RequestProblem(403, "The form does not come from this page");
}
