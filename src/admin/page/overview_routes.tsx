import { Hono } from "hono";
import { accountsInNeed } from "./attention.ts";
import { type Sections, streamSections } from "./event_stream.ts";
import { LiveSection, markupText, Page, respond } from "./layout.tsx";
import { overviewSections } from "./overview_view.tsx";
import { findSession, requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";

/** The overview, and the events that keep it fresh. */
export function overviewRoutes(services: PageServices): Hono<PageEnv> {
  const { context, sessions, closing, activity } = services;
  const app = new Hono<PageEnv>();
  app.get("/", requireSession(sessions), async (c) => {
    const live = await Promise.all(
      Object.entries(await sections()).map(async ([id, markup]) => (
        <LiveSection id={id} content={await markupText(markup)} />
      )),
    );
    return await respond(
      c,
      <Page title="Overview" current="overview" session={c.get("session")} events="/events">
        {live}
        <p class="actions">
          <a class="button" href="/reload">Reload…</a>
          <a class="button" href="/stop">Drain and stop…</a>
        </p>
      </Page>,
    );
  });
  app.get(
    "/events",
    requireSession(sessions),
    (c) => streamSections(c, { sections, closing, isWelcome: () => findSession(sessions, c) !== undefined }),
  );
  return app;

  async function sections(): Promise<Sections> {
    activity.watch(closing);
    const [status] = await Promise.all([context.status(), activity.sample()]);
    const attention = accountsInNeed(status.accounts, (email) => context.accounts.get(email));
    return overviewSections({ status, attention, minutes: activity.minutes() });
  }
}
