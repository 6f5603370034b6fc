import { type Context, Hono } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { isSecret, publicOrigin, requireSession, sessionCookie } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import type { PageSession } from "./page_sessions.ts";
import { showSignIn } from "./sign_in_view.tsx";

/** Signs in with the admin token, and out. */
export function signInRoutes(
  { sessions, context: { log } }: Pick<PageServices, "sessions" | "context">,
  { token }: { readonly token: string },
): Hono<PageEnv> {
  const app = new Hono<PageEnv>();
  app.get("/sign-in", (c) => c.redirect("/", 303));
  app.post("/sign-in", async (c) => {
    const form = c.get("form");
    const next = ownPath(form.get("next") ?? "/", c);
    if (!isSecret((form.get("token") ?? "").trim(), token)) {
      log.warn("Sign-in to the page refused: wrong token");
      return await showSignIn(c, { status: 401, error: "This is not the admin token", next });
    }
    giveCookie(c, sessions.open());
    log.info("Signed in to the page");
    return c.redirect(next, 303);
  });
  app.post("/sign-out", requireSession(sessions), (c) => {
    sessions.close(c.get("session").id);
    deleteCookie(c, sessionCookie(c), { path: "/" });
    return c.redirect("/", 303);
  });
  return app;
}

function giveCookie(c: Context, { id, expiresAtMs }: PageSession): void {
  setCookie(c, sessionCookie(c), id, {
    path: "/",
    httpOnly: true,
    sameSite: "Strict",
    secure: publicOrigin(c).startsWith("https:"),
    expires: new Date(expiresAtMs),
  });
}

/** A path on this server: a link must not lead through the sign-in to somebody else's page. */
function ownPath(next: string, c: Context): string {
  const here = new URL(c.req.url);
  const there = URL.parse(next, here);
  if (there?.origin !== here.origin) return "/";
  // "/.//host" keeps its two slashes, and would name a host.
  return there.pathname.replace(/^\/+/, "/") + there.search;
}
