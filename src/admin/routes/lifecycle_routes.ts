import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { AdminContext } from "../admin_context.ts";
import { createApiApp, jsonAnswer, withToken } from "../api_app.ts";
import { commonProblems, detailsOf, problemResponses, RequestProblem } from "../request_problem.ts";

const tags = ["daemon"];

const reloadRoute = createRoute({
  method: "post",
  path: "/admin/reload",
  operationId: "reload",
  tags,
  security: withToken,
  summary: "Read settings, accounts and certificates again, as SIGHUP does",
  responses: {
    ...commonProblems,
    ...problemResponses({ 422: "What was read has faults: nothing has changed" }),
    200: jsonAnswer(
      z.object({
        success: z.literal(true),
        difference: z.record(z.string(), z.unknown()).openapi({
          description: "What has changed; empty: nothing",
        }),
        duration_ms: z.number(),
      }).openapi("Reloaded"),
      "What was read is in force",
    ),
  },
});

const shutdownRoute = createRoute({
  method: "post",
  path: "/admin/shutdown",
  operationId: "shutdown",
  tags,
  security: withToken,
  summary: "Stop, as SIGTERM does: messages under way end first",
  responses: {
    ...commonProblems,
    202: jsonAnswer(
      z.object({
        success: z.literal(true),
        state: z.string(),
        already: z.boolean().openapi({ description: "A stop was under way" }),
        pid: z.int(),
      }).openapi("Stopping"),
      "The drain has begun",
    ),
  },
});

/** The calls that do what signals do. */
export function lifecycleRoutes(
  { reload, requestStop, state }: Pick<AdminContext, "reload" | "requestStop" | "state">,
): OpenAPIHono {
  const app = createApiApp();
  app.openapi(reloadRoute, async (c) => {
    const outcome = await reload("POST /admin/reload");
    if (outcome.applied) {
      const { difference, ms } = outcome;
      return c.json({ success: true as const, difference: { ...difference }, duration_ms: ms }, 200);
    }
    const details = detailsOf(outcome.findings, { withFile: true });
    if (state() !== "running") throw new RequestProblem(503, "The daemon is stopping", details);
    throw new RequestProblem(422, "Reload refused, running on unchanged", details);
  });
  app.openapi(shutdownRoute, (c) => {
    const already = !requestStop("POST /admin/shutdown");
    return c.json({ success: true as const, state: state(), already, pid: Deno.pid }, 202);
  });
  return app;
}
