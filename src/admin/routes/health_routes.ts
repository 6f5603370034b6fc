import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { AdminContext } from "../admin_context.ts";
import { createApiApp, jsonAnswer } from "../api_app.ts";

const healthSchema = z.object({
  status: z.enum(["healthy", "draining"]),
  service: z.literal("xoauth2-proxy-admin"),
}).openapi("Health");

const health = createRoute({
  method: "get",
  path: "/health",
  operationId: "getHealth",
  summary: "Whether the daemon is well and not about to stop",
  responses: {
    200: jsonAnswer(healthSchema, "It is"),
    503: jsonAnswer(healthSchema, "It is draining"),
  },
});

const plain = { "text/plain": { schema: z.string() } };

const livez = createRoute({
  method: "get",
  path: "/livez",
  operationId: "getLivez",
  summary: "Whether the event loop turns",
  responses: { 200: { description: "It does", content: plain } },
});

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "getReadyz",
  summary: "Whether start-up is done and no drain under way",
  responses: {
    200: { description: "Ready", content: plain },
    503: { description: "Starting, draining or stopped", content: plain },
  },
});

const metricsRoute = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  summary: "Metrics for Prometheus",
  responses: { 200: { description: "Prometheus text format", content: plain } },
});

/** The calls for probes and scrapers; they need no token. */
export function healthRoutes({ state, metrics }: Pick<AdminContext, "state" | "metrics">): OpenAPIHono {
  const app = createApiApp();
  app.openapi(health, (c) => {
    const service = "xoauth2-proxy-admin" as const;
    const isEnding = state() === "draining" || state() === "stopped";
    return isEnding
      ? c.json({ status: "draining", service }, 503)
      : c.json({ status: "healthy", service }, 200);
  });
  app.openapi(livez, (c) => c.text("ok\n", 200));
  app.openapi(readyz, (c) => c.text(`${state()}\n`, state() === "running" ? 200 : 503));
  app.openapi(metricsRoute, async (c) => {
    c.header("content-type", metrics.contentType);
    return c.body(await metrics.text(), 200) as never;
  });
  return app;
}
