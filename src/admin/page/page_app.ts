/** The page: server-rendered, with one style sheet and one small script, all of it inside the program. */

import { Hono } from "hono";
import type { AdminServices } from "../admin_services.ts";
import { accountListRoutes } from "./account_list_routes.tsx";
import { accountRoutes } from "./account_routes.tsx";
import { Activity } from "./activity.ts";
import { connectRoutes } from "./connect_routes.tsx";
import { messagesRoutes } from "./messages_routes.tsx";
import { newAccountRoutes } from "./new_account_routes.tsx";
import { overviewRoutes } from "./overview_routes.tsx";
import { ownerRoutes } from "./owner_routes.tsx";
import script from "./page.js" with { type: "text" };
import style from "./page.css" with { type: "text" };
import icon from "./page.svg" with { type: "text" };
import { findSession, readForm, securityHeaders } from "./page_guards.ts";
import type { PageEnv } from "./page_services.ts";
import { PageSessions } from "./page_sessions.ts";
import { reloadRoutes } from "./reload_routes.tsx";
import { respondProblem } from "./problem_page.tsx";
import { signInRoutes } from "./sign_in_routes.ts";
import { stopRoutes } from "./stop_routes.tsx";
import { verifyRoutes } from "./verify_routes.tsx";

/** What the page is made with. */
export interface PageAppOptions {
  /** The admin token, which signs in. */
  readonly token: string;
}

/** Every path that is the page's own; the guards hold for these and no others. */
const paths = [
  "/",
  "/sign-in",
  "/sign-out",
  "/events",
  "/accounts/*",
  "/messages/*",
  "/reload",
  "/stop",
  "/connect/*",
  "/page.css",
  "/page.js",
  "/page.svg",
];

const assets = {
  "/page.css": { text: style, type: "text/css; charset=utf-8" },
  "/page.js": { text: script, type: "text/javascript; charset=utf-8" },
  "/page.svg": { text: icon, type: "image/svg+xml" },
};

/** Puts the page together, to be mounted at `/` behind the Host guard and before what asks for a bearer token. */
export function pageApp(services: AdminServices, { token }: PageAppOptions): Hono<PageEnv> {
  const { context } = services;
  const { now, log } = context;
  const sessions = new PageSessions({ now });
  const activity = new Activity({
    recent: context.recentTransactions,
    metrics: () => context.metrics.text(),
    now,
  });
  const shared = { ...services, sessions, activity };
  const app = new Hono<PageEnv>();
  app.onError((error, c) => respondProblem(error, { c, log, session: findSession(sessions, c) }));
  const form = readForm(services.closing);
  for (const path of paths) app.use(path, securityHeaders, form);
  for (const [path, { text, type }] of Object.entries(assets)) {
    app.get(path, (c) => c.body(text, 200, { "content-type": type }));
  }
  app.route("/", signInRoutes(shared, { token }));
  app.route("/", overviewRoutes(shared));
  app.route("/", accountListRoutes(shared));
  // Before the routes of one account, whose path would take "new" for an address.
  app.route("/", newAccountRoutes(shared));
  app.route("/", accountRoutes(shared));
  app.route("/", verifyRoutes(shared));
  app.route("/", connectRoutes(shared));
  app.route("/", messagesRoutes(shared));
  app.route("/", reloadRoutes(shared));
  app.route("/", stopRoutes(shared));
  app.route("/", ownerRoutes(shared));
  return app;
}
