/** The whole API as one app: guards in front, one small app for each resource, one place that turns errors into answers. */

import { OpenAPIHono } from "@hono/zod-openapi";
import type { ErrorHandler, MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { versionNumber } from "../version_number.ts";
import type { AdminServices } from "./admin_services.ts";
import { answerError } from "./answer_error.ts";
import { guardHost } from "./host_guard.ts";
import { hasBody, limitBody } from "./limit_body.ts";
import { pageApp } from "./page/page_app.ts";
import { problemBody, RequestProblem } from "./request_problem.ts";
import { accountListRoutes } from "./routes/account_list_routes.ts";
import { accountRoutes } from "./routes/account_routes.ts";
import { authorizeRoutes } from "./routes/authorize_routes.ts";
import { batchRoutes } from "./routes/batch_routes.ts";
import { callbackRoutes } from "./routes/callback_routes.ts";
import { healthRoutes } from "./routes/health_routes.ts";
import { lifecycleRoutes } from "./routes/lifecycle_routes.ts";
import { statusRoutes } from "./routes/status_routes.ts";
import { verifyRoutes } from "./routes/verify_routes.ts";

/** What an app is made with. */
export interface AdminAppOptions {
  /** The bearer token. */
  readonly token: string;
}

const batchPath = "/admin/accounts/batch";

/** Puts the app together. */
export function createAdminApp(services: AdminServices, { token }: AdminAppOptions): OpenAPIHono {
  const { context } = services;
  const app = new OpenAPIHono();
  app.onError(answerError(context.log) as ErrorHandler);
  app.notFound((c) => c.json(problemBody("There is no such call: see /openapi.json"), 404));
  app.use(tidyAnswer, guardHost(context.settings));
  // What probes, scrapers and browsers call has no token; everything behind the token's guard has one.
  app.route("/", healthRoutes(context));
  app.route("/", callbackRoutes(services));
  app.route("/", pageApp(services, { token }));
  app.use(requireToken(token), limitBody(mebibytesFor), requireJson);
  app.route("/", statusRoutes(context));
  app.route("/", lifecycleRoutes(context));
  // Before the routes of one account, whose path would take "batch" and "invalid" for an e-mail.
  app.route("/", batchRoutes(services));
  app.route("/", accountListRoutes(services));
  app.route("/", accountRoutes(services));
  app.route("/", verifyRoutes(services));
  app.route("/", authorizeRoutes(services));
  describe(app);
  return app;
}

function describe(app: OpenAPIHono): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "The admin token: its file is named in the log of the first start",
  });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "xoauth2-proxy admin API",
      version: versionNumber,
      description: "Accounts, state and life of the daemon. Changes are live at once.",
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    servers: [{ url: "/" }],
    tags: [{ name: "accounts" }, { name: "daemon" }],
  });
}

function mebibytesFor(path: string): number {
  return path === batchPath ? 10 : 1;
}

const tidyAnswer: MiddlewareHandler = async (c, next) => {
  await next();
  // A body that was refused unread would stay open until it is collected.
  const { body } = c.req.raw;
  if (body && !body.locked) await body.cancel();
  c.header("cache-control", "no-store");
  c.header("x-content-type-options", "nosniff");
};

function requireToken(token: string): MiddlewareHandler {
  return bearerAuth({
    token,
    realm: "xoauth2-proxy",
    noAuthenticationHeader: { message: problemBody("This call wants a token: Authorization: Bearer TOKEN") },
    invalidAuthenticationHeader: { message: problemBody("The Authorization header is not Bearer TOKEN") },
    invalidToken: { message: problemBody("The token is wrong: its file is named in the log") },
  });
}

/** A form that a foreign page sends can't have this type without asking first. */
const requireJson: MiddlewareHandler = async (c, next) => {
  const type = c.req.header("content-type") ?? "";
  if (hasBody(c.req.raw) && !/^application\/json\s*(;|$)/i.test(type)) {
    throw new RequestProblem(415, "The body has to be JSON, with Content-Type: application/json");
  }
  await next();
};
