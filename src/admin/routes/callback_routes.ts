import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { TokenError } from "../../oauth/token_error.ts";
import type { AdminServices } from "../admin_services.ts";
import { createApiApp } from "../api_app.ts";
import { callbackPage } from "../callback_page.ts";
import { RequestProblem } from "../request_problem.ts";

const page = { "text/html": { schema: z.string() } };

const callback = createRoute({
  method: "get",
  path: "/oauth/callback",
  operationId: "finishAuthorization",
  tags: ["accounts"],
  summary: "Where the provider sends the user's browser back to; the state in it works once",
  request: { query: z.looseObject({ state: z.string().optional(), code: z.string().optional() }) },
  responses: {
    200: { description: "The account is authorized", content: page },
    400: { description: "No authorization waits for this, or it was refused", content: page },
    502: { description: "The provider can't be asked now: start again", content: page },
    503: { description: "The account can't be saved now: the same address works again later", content: page },
  },
});

/** The call that the user's browser makes; it has no token, the state in it stands for one. */
export function callbackRoutes({ authorizations }: Pick<AdminServices, "authorizations">): OpenAPIHono {
  const app = createApiApp();
  app.openapi(callback, async (c) => {
    // The address holds the code: no other page is to learn it.
    c.header("referrer-policy", "no-referrer");
    c.header(
      "content-security-policy",
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    );
    try {
      const email = await authorizations.finish(c.req.url);
      const text = `${email} can send now. You can close this window.`;
      return c.html(callbackPage({ title: "Account authorized", text }), 200);
    } catch (error) {
      const text = callbackFailure(error);
      const isUnkept = error instanceof RequestProblem && error.status === 503;
      const isPassing = error instanceof TokenError && error.code === "TOKEN_UNAVAILABLE";
      return c.html(callbackPage({ title: "Not authorized", text }), isUnkept ? 503 : isPassing ? 502 : 400);
    }
  });
  return app;
}

/** @throws The error itself, if it isn't one for the user. */
function callbackFailure(error: unknown): string {
  if (error instanceof TokenError) return `${error.message}. ${error.remedy}.`;
  if (error instanceof RequestProblem) return `${error.message}.`;
  throw error;
}
