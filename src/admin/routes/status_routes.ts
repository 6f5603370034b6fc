import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { AdminContext } from "../admin_context.ts";
import { createApiApp, jsonAnswer, withToken } from "../api_app.ts";
import { commonProblems } from "../request_problem.ts";
import { statusSchema, statusView } from "../status_view.ts";

const status = createRoute({
  method: "get",
  path: "/admin/status",
  operationId: "getStatus",
  tags: ["daemon"],
  security: withToken,
  summary: "How the daemon stands, account by account",
  responses: { ...commonProblems, 200: jsonAnswer(statusSchema, "The state at this moment") },
});

/** The call that `xoauth2-proxy status` and the page live on. */
export function statusRoutes(context: Pick<AdminContext, "status">): OpenAPIHono {
  const app = createApiApp();
  app.openapi(status, async (c) => c.json(statusView(await context.status()), 200));
  return app;
}
